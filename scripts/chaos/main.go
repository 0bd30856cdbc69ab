// Chaos kills and upgrades the workers of a mounted lxcfs at random moments while containers read through it, and checks
// every content: nothing may fail, hang, show another container's numbers or count backwards.
//
//	go build -o /tmp/lxcfs ./cmd/lxcfs && go run ./scripts/chaos -lxcfs /tmp/lxcfs -kills 1000 -upgrades 200
//
// It needs root and /dev/fuse. Its containers are cgroups and namespaces of its own making. The same against a program
// built with -tags norecovery must fail (-want-failure), or it could not; with -tags nojournal it tries the kernel's
// FUSE_NOTIFY_RESEND alone.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var (
	program    = flag.String("lxcfs", "", "the lxcfs `program` to torment")
	kills      = flag.Int("kills", 1000, "how many workers to kill")
	upgrades   = flag.Int("upgrades", 200, "how many upgrades to ask for")
	containers = flag.Int("containers", 4, "how many containers read")
	threads    = flag.Int("threads", 2, "readers in each container")
	worst      = flag.Int("worst", 10, "how many times longer than the worst undisturbed read a read may take")
	quiet      = flag.Duration("quiet", 10*time.Second, "how long to read undisturbed first")
	gap        = flag.Duration("gap", 200*time.Millisecond, "typical time between two kills; from a quarter to five quarters of it")
	standby    = flag.Bool("standby", false, "run lxcfs with --standby")
	wantFail   = flag.Bool("want-failure", false, "succeed if reads fail or hang: the control run")
)

func main() {
	if len(os.Args) == 4 && os.Args[0] == "container" {
		limit, _ := strconv.Atoi(os.Args[2])
		n, _ := strconv.Atoi(os.Args[3])
		if err := contain(os.Args[1], limit, n); err != nil {
			fmt.Fprintln(os.Stderr, "container:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if err := torment(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func torment() error {
	d, err := startDaemon()
	if err != nil {
		return err
	}
	var cs []*container
	defer func() {
		d.stop() // first: readers that hang cannot be killed before
		for _, c := range cs {
			c.stop()
		}
	}()
	for i := range *containers {
		c, err := startContainer(d.dir, i)
		if err != nil {
			return err
		}
		cs = append(cs, c)
	}
	time.Sleep(*quiet)
	calm := collect(cs)
	fmt.Printf("undisturbed: %+v\n", calm)
	before := d.size()

	killed, upgraded, missed := 0, 0, 0
	for killed < *kills || upgraded < *upgrades {
		time.Sleep(time.Duration(rand.Int64N(int64(*gap)) + int64(*gap)/4))
		left := (*kills - killed) + (*upgrades - upgraded)
		if rand.IntN(left) < *upgrades-upgraded {
			if d.upgrade() == nil {
				upgraded++
			}
		} else if d.kill() {
			killed, missed = killed+1, 0
		} else if missed++; missed == 100 {
			return fmt.Errorf("no worker to kill any more: %s", d.lastWords())
		}
		if *wantFail && killed > 20 {
			break
		}
	}
	time.Sleep(2 * time.Second)
	if *wantFail {
		time.Sleep(11 * time.Second)
	}
	storm := collect(cs)
	fmt.Printf("%d kills, %d upgrades asked for, %d done: %+v\n", killed, upgraded, d.upgrades(), storm)
	fmt.Printf("keeper before: %s\nkeeper after:  %s\n", before, d.size())
	return judge(calm, storm)
}

// judge says whether the run was as it must be.
func judge(calm, storm tally) error {
	bad := storm.Failed + storm.Wrong + storm.Decreased + storm.Hung
	switch {
	case *wantFail && bad == 0:
		return fmt.Errorf("the control run did not fail: this program cannot")
	case *wantFail:
		return nil
	case calm.Failed+calm.Wrong+calm.Decreased+calm.Hung > 0:
		return fmt.Errorf("reads fail undisturbed: %s", calm.First)
	case bad > 0:
		return fmt.Errorf("reads failed: %s", storm.First)
	case storm.Worst > time.Duration(*worst)*calm.Worst:
		return fmt.Errorf("worst read %v, undisturbed %v: more than %d times", storm.Worst, calm.Worst, *worst)
	}
	return nil
}

// daemon is the lxcfs that is tormented.
type daemon struct {
	dir, log string
	cmd      *exec.Cmd
}

func startDaemon() (*daemon, error) {
	tmp, err := os.MkdirTemp("", "lxcfs-chaos-")
	if err != nil {
		return nil, err
	}
	d := &daemon{dir: tmp + "/mnt", log: tmp + "/log"}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"-p", tmp + "/pid", d.dir}
	if *standby {
		args = append([]string{"--standby"}, args...)
	}
	d.cmd = exec.Command(*program, args...)
	d.cmd.Stderr = log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	for range 500 {
		time.Sleep(10 * time.Millisecond)
		if b, _ := os.ReadFile(d.dir + "/proc/uptime"); len(b) > 0 {
			return d, nil
		}
	}
	text, _ := os.ReadFile(d.log)
	return nil, fmt.Errorf("%s does not serve: %s", *program, text)
}

// kill kills one of the daemon's children.
func (d *daemon) kill() bool {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", d.cmd.Process.Pid))
	var pids []int
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for f := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return len(pids) > 0 && unix.Kill(pids[rand.IntN(len(pids))], unix.SIGKILL) == nil
}

func (d *daemon) upgrade() error { return d.cmd.Process.Signal(unix.SIGUSR1) }

// upgrades counts the upgrades the daemon logged.
func (d *daemon) upgrades() int {
	text, _ := os.ReadFile(d.log)
	return strings.Count(string(text), "keeper is the new program")
}

// size says how big the keeper is.
func (d *daemon) size() string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	return fmt.Sprintf("%v kB, %v threads, %d fds", field(string(text), "VmRSS:", 1), field(string(text), "Threads:", 1), len(fds))
}

// lastWords returns what the daemon's log says of its end.
func (d *daemon) lastWords() string {
	text, _ := os.ReadFile(d.log)
	end := max(0, len(text)-2000)
	for _, word := range []string{"panic:", "fatal error:", "SIG"} {
		if i := strings.Index(string(text), word); i >= 0 {
			end = i
			break
		}
	}
	return string(text[end:min(len(text), end+2000)])
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(unix.SIGTERM) // it may have ended
	if err := d.cmd.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "lxcfs:", err)
	}
	os.RemoveAll(filepath.Dir(d.dir))
}
