//go:build integration

package fuse

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
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
