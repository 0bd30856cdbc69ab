//go:build integration

package fuse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"lxcfs/fuse/conn"
	"lxcfs/fuse/keeper"
)

// TestMain makes this test program the keeper and the worker too.
func TestMain(m *testing.M) {
	w, err := keeper.Inherited()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case w != nil:
		os.Exit(testWorker(w))
	case os.Getenv("TEST_SERVE") != "":
		if err := serveFor(os.Getenv("TEST_SERVE"), os.Getenv("TEST_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case os.Getenv("TEST_DIE") != "":
		if _, err := conn.Mount(os.Getenv("TEST_DIE"), conn.Options{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case os.Getenv("TEST_KEEPER") != "":
		os.Exit(testKeeper(os.Getenv("TEST_KEEPER")))
	}
	os.Exit(m.Run())
}

func testLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, nil)).With("pid", os.Getpid())
}

func testWorker(w *keeper.Worker) int {
	var selfTest error
	if os.Getenv("TEST_REFUSE") != "" {
		selfTest = fmt.Errorf("asked to refuse")
	}
	if b, _ := os.ReadFile(os.Getenv("TEST_STATE") + "/refuse"); len(b) > 0 {
		selfTest = fmt.Errorf("%s", b)
	}
	if b, _ := os.ReadFile(os.Getenv("TEST_STATE") + "/die"); len(b) > 0 {
		return 9
	}
	if b, _ := os.ReadFile(os.Getenv("TEST_STATE") + "/without"); len(b) > 0 {
		testFiles = slices.DeleteFunc(testFiles, func(f testFile) bool { return f.path == string(b) })
	}
	fatal = func() { os.Exit(3) }
	cause, err := w.Hello("test", selfTest)
	if err != nil {
		return 1
	}
	cn, err := w.Conn(conn.Options{Log: testLog()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := newServer(cn, testSource(), Options{Log: testLog()}).ServeAfter(cause); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func testKeeper(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	program, err := keeper.Program()
	if err == nil {
		var k *keeper.Keeper
		k, err = keeper.New(keeper.Options{Dir: dir, Program: program, Args: os.Args, Minimal: Minimal, Log: testLog(),
			Standby: os.Getenv("TEST_STANDBY") != "", KeepMount: os.Getenv("TEST_KEEP") != "", Version: "test", Deadline: 5 * time.Second})
		if err == nil {
			go func() {
				for range usr1 {
					k.Upgrade(ctx)
				}
			}()
			err = k.Run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		return 1
	}
	return 0
}

// kept is a mount with a keeper.
type keptMount struct {
	t     *testing.T
	dir   string
	state string
	cmd   *exec.Cmd
	log   *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func startKeeper(t *testing.T, env ...string) *keptMount {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root and /dev/fuse")
	}
	k := &keptMount{t: t, dir: t.TempDir(), state: t.TempDir(), log: &syncBuffer{}}
	k.cmd = exec.Command(os.Args[0])
	k.cmd.Env = append(append(os.Environ(), "TEST_KEEPER="+k.dir, "TEST_STATE="+k.state), env...)
	k.cmd.Stderr = k.log
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if k.cmd.Process.Signal(syscall.SIGTERM) == nil {
			if err := k.cmd.Wait(); err != nil {
				t.Errorf("keeper: %v", err)
			}
		}
		conn.Unmount(k.dir)
		if t.Failed() {
			t.Log(k.log.String())
		}
	})
	k.eventually("first read", func() bool { b, _ := os.ReadFile(k.dir + "/proc/stat"); return len(b) > 0 })
	return k
}

func (k *keptMount) eventually(what string, ok func() bool) {
	k.t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	k.t.Fatalf("%s: not in 10 s\n%s", what, k.log.String())
}

// worker returns the pid of one worker, 0 if there is none.
func (k *keptMount) worker() int {
	if pids := k.children(); len(pids) > 0 {
		return pids[0]
	}
	return 0
}

// children returns the keeper's workers. A thread of it lists those that it started.
func (k *keptMount) children() []int {
	var pids []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", k.cmd.Process.Pid))
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, f := range strings.Fields(string(b)) {
			if pid, _ := strconv.Atoi(f); pid > 0 {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// readers reads in n goroutines until stop is called, and counts.
type readers struct {
	ops, failed atomic.Int64
	worst       atomic.Int64
	first       atomic.Value
	quit        chan struct{}
	wg          sync.WaitGroup
}

func (k *keptMount) read(n int) *readers {
	r := &readers{quit: make(chan struct{})}
	for i := range n {
		file, want := "/proc/meminfo", "MemTotal: 1 kB\n"
		if i%2 == 1 {
			file, want = "/proc/slow", "slow\n"
		}
		r.wg.Go(func() {
			for {
				select {
				case <-r.quit:
					return
				default:
				}
				start := time.Now()
				b, err := slurp(k.dir + file)
				d := int64(time.Since(start))
				for {
					w := r.worst.Load()
					if d <= w || r.worst.CompareAndSwap(w, d) {
						break
					}
				}
				r.ops.Add(1)
				if err != nil || string(b) != want {
					r.failed.Add(1)
					r.first.CompareAndSwap(nil, fmt.Sprintf("%s: %q, %v", file, b, err))
				}
			}
		})
	}
	return r
}

func (r *readers) stop(t *testing.T) {
	t.Helper()
	close(r.quit)
	done := make(chan struct{})
	go func() { r.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("readers hang")
	}
	t.Logf("%d ops, %d failed, worst %v", r.ops.Load(), r.failed.Load(), time.Duration(r.worst.Load()).Round(100*time.Microsecond))
	if r.failed.Load() > 0 {
		t.Errorf("%d reads failed, first: %v", r.failed.Load(), r.first.Load())
	}
}

func TestKillsCostNothing(t *testing.T) {
	for _, env := range []string{"X=1", "TEST_STANDBY=1"} {
		t.Run(env, func(t *testing.T) {
			k := startKeeper(t, env)
			r := k.read(8)
			kills := 0
			for range 100 {
				time.Sleep(time.Duration(15+rand.IntN(30)) * time.Millisecond)
				if pid := k.worker(); pid > 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
					kills++
				}
			}
			r.stop(t)
			t.Logf("%d kills", kills)
		})
	}
}

// A standby that died, and one that was used up, are replaced; after an upgrade, too.
func TestStandbyIsReplaced(t *testing.T) {
	k := startKeeper(t, "TEST_STANDBY=1")
	two := func() bool { return len(k.children()) == 2 }
	k.eventually("a standby", two)
	before := k.children()
	replaced := func(pid int) func() bool {
		return func() bool { return two() && !slices.Contains(k.children(), pid) }
	}
	for _, pid := range before { // one of them serves
		syscall.Kill(pid, syscall.SIGKILL)
		k.eventually("another one", replaced(pid))
	}
	k.cmd.Process.Signal(syscall.SIGUSR1)
	k.eventually("upgrade", func() bool { return strings.Contains(k.log.String(), "keeper is the new program") })
	k.eventually("a standby of the new program", two)
}

func TestUpgradeUnderLoad(t *testing.T) {
	k := startKeeper(t)
	r := k.read(8)
	for i := range 10 {
		k.cmd.Process.Signal(syscall.SIGUSR1)
		k.eventually("upgrade", func() bool {
			return strings.Count(k.log.String(), "keeper is the new program") == i+1
		})
	}
	r.stop(t)
}

// The next release has not got a file that the kernel would know for another hour; the one after it has it again.
func TestChangedSetOfFiles(t *testing.T) {
	k := startKeeper(t)
	name := "/proc/pressure/cpu"
	stat := func(want error) func() bool {
		return func() bool {
			err := syscall.Stat(k.dir+name, new(syscall.Stat_t))
			return errors.Is(err, want)
		}
	}
	if !stat(nil)() {
		t.Fatal("the file is not there")
	}
	upgrade := func(n int) {
		t.Helper()
		k.cmd.Process.Signal(syscall.SIGUSR1)
		k.eventually("upgrade", func() bool { return strings.Count(k.log.String(), "keeper is the new program") == n })
	}
	os.WriteFile(k.state+"/without", []byte(name[1:]), 0o600)
	upgrade(1)
	k.eventually("end of the file", stat(syscall.ENOENT))
	os.Remove(k.state + "/without")
	upgrade(2)
	k.eventually("return of the file", stat(nil))
}

func TestUpgradeRefused(t *testing.T) {
	k := startKeeper(t)
	old := k.worker()
	r := k.read(2)
	os.WriteFile(k.state+"/refuse", []byte("cannot parse"), 0o600)
	k.cmd.Process.Signal(syscall.SIGUSR1)
	k.eventually("refusal", func() bool {
		return strings.Contains(k.log.String(), "worker refuses: self-test: cannot parse") || strings.Contains(k.log.String(), "cannot parse")
	})
	if now := k.worker(); now != old {
		t.Errorf("worker is %d, want the old one, %d", now, old)
	}
	os.Remove(k.state + "/refuse")
	r.stop(t)
}

func TestPoisonIsAnsweredEIO(t *testing.T) {
	k := startKeeper(t)
	r := k.read(4)
	if _, err := slurp(k.dir + "/proc/fatal"); !errors.Is(err, syscall.EIO) {
		t.Errorf("read of the file that kills workers: %v, want EIO", err)
	}
	r.stop(t)
	if n := strings.Count(k.log.String(), "its worker died each time"); n != 1 {
		t.Errorf("poison was logged %d times, want once", n)
	}
	if n := strings.Count(k.log.String(), "worker died"); n < 2 {
		t.Errorf("%d workers died, want 2", n)
	}
}

func TestMinimalMode(t *testing.T) {
	k := startKeeper(t)
	os.WriteFile(k.state+"/die", []byte("yes"), 0o600)
	syscall.Kill(k.worker(), syscall.SIGKILL)
	start := time.Now()
	b, err := slurp(k.dir + "/proc/meminfo")
	if err != nil || !bytes.Contains(b, []byte("MemFree:")) {
		t.Errorf("minimal mode reads %.20q, %v, want the host's meminfo", b, err)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("minimal mode answered after %v", d)
	}
	os.Remove(k.state + "/die")
	k.eventually("recovery", func() bool { b, _ := slurp(k.dir + "/proc/meminfo"); return string(b) == "MemTotal: 1 kB\n" })
}

func TestPanicIsEIO(t *testing.T) {
	k := startKeeper(t)
	pid := k.worker()
	if _, err := slurp(k.dir + "/proc/panic"); !errors.Is(err, syscall.EIO) {
		t.Errorf("read of the file that panics: %v, want EIO", err)
	}
	if b, err := slurp(k.dir + "/proc/stat"); err != nil || len(b) == 0 {
		t.Errorf("read after a panic: %q, %v", b, err)
	}
	if now := k.worker(); now != pid {
		t.Errorf("worker is %d, want %d still", now, pid)
	}
}

// Told to stop but to keep the mount, with nobody to give the connection to, the keeper leaves its worker alone.
func TestKeepMount(t *testing.T) {
	k := startKeeper(t, "TEST_KEEP=1")
	worker := k.worker()
	r := k.read(2)
	k.cmd.Process.Signal(syscall.SIGTERM)
	k.cmd.Process.Wait()
	time.Sleep(50 * time.Millisecond)
	r.stop(t)
	conn.Unmount(k.dir)
	k.eventually("end of the worker", func() bool { return syscall.Kill(worker, 0) != nil })
}
