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
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var (
	program    = flag.String("lxcfs", "", "the lxcfs `program` to torment")
	kills      = flag.Int("kills", 1000, "how many workers to kill")
	upgrades   = flag.Int("upgrades", 200, "how many upgrades to ask for")
	containers = flag.Int("containers", 4, "how many containers read")
	threads    = flag.Int("threads", 2, "readers in each container")
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
	case storm.Worst > 10*calm.Worst:
		return fmt.Errorf("worst read %v, undisturbed %v: more than ten times", storm.Worst, calm.Worst)
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

// lastWords returns the end of the daemon's log.
func (d *daemon) lastWords() string {
	text, _ := os.ReadFile(d.log)
	return string(text[max(0, len(text)-2000):])
}

func (d *daemon) stop() {
	d.cmd.Process.Signal(unix.SIGTERM)
	if err := d.cmd.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "lxcfs:", err)
	}
	os.RemoveAll(filepath.Dir(d.dir))
}

// container is a process in cgroups and namespaces of its own.
type container struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	cgroups []string
}

func startContainer(dir string, i int) (*container, error) {
	limit := (64 + 16*i) << 10
	c := &container{cmd: exec.Command("/proc/self/exe")}
	c.cmd.Args = []string{"container", dir, strconv.Itoa(limit), strconv.Itoa(*threads)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	// Stopped until its cgroups are right: its memory limit is what lxcfs shows from its first read on.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	if err := c.makeCgroups(fmt.Sprintf("lxcfs-chaos-%d-%d", os.Getpid(), i), limit); err != nil {
		return c, err
	}
	if err := c.cmd.Start(); err != nil {
		return c, err
	}
	for _, cg := range c.cgroups {
		if err := os.WriteFile(cg+"/cgroup.procs", []byte(strconv.Itoa(c.cmd.Process.Pid)), 0); err != nil {
			return c, err
		}
	}
	var ready tally
	if err := c.out.Decode(&ready); err != nil {
		return c, fmt.Errorf("container %d: %w", i, err)
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Fprintln(c.in)
	return c, c.out.Decode(&ready) // what was read before it was moved does not count
}

// makeCgroups makes the container's cgroups, in each hierarchy that limits memory or counts CPU time.
func (c *container) makeCgroups(name string, limit int) error {
	file := "memory.max"
	roots := []string{"/sys/fs/cgroup"}
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err == nil {
		file, roots = "memory.limit_in_bytes", []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpuacct"}
	} else {
		os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory +cpu"), 0)
	}
	for _, root := range roots {
		cg := root + "/" + name
		if err := os.Mkdir(cg, 0o755); err != nil {
			return err
		}
		c.cgroups = append(c.cgroups, cg)
	}
	return os.WriteFile(c.cgroups[0]+"/"+file, []byte(strconv.Itoa(limit<<10)), 0)
}

// collect asks the containers what they have seen since the last time. A container that does not answer hangs.
func collect(cs []*container) tally {
	var sum tally
	for _, c := range cs {
		fmt.Fprintln(c.in)
		answer := make(chan tally, 1)
		go func() {
			var t tally
			if err := c.out.Decode(&t); err != nil {
				t = tally{Failed: 1, First: err.Error()}
			}
			answer <- t
		}()
		select {
		case t := <-answer:
			sum.add(t)
		case <-time.After(10 * time.Second):
			sum.add(tally{Hung: *threads, First: "container does not answer"})
		}
	}
	return sum
}

func (c *container) stop() {
	if c.cmd.Process != nil {
		c.cmd.Process.Kill()
		go c.cmd.Wait() // readers of a dead connection cannot be killed before it is aborted
	}
	for _, cg := range c.cgroups {
		for range 100 {
			if unix.Rmdir(cg) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
