//go:build integration

package fuse

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lxcfs/fuse/conn"

	wire "github.com/hanwen/go-fuse/v2/fuse"
)

// serveFor serves the test tree on dir until it is unmounted: on our loop, or with go-fuse's own Server.
func serveFor(how, dir string) error {
	if how == "loop" {
		s, err := conn.Mount(dir, conn.Options{})
		if err != nil {
			return err
		}
		return newServer(s, testSource(), Options{}).Serve()
	}
	state, err := conn.NewState(0)
	if err != nil {
		return err
	}
	raw := rawFS{wire.NewDefaultRawFileSystem(), newTree(testSource(), 1, state, testLog())}
	s, err := wire.NewServer(raw, dir, &wire.MountOptions{AllowOther: true, DirectMount: true, Name: "lxcfs"})
	if err != nil {
		return err
	}
	s.Serve()
	return nil
}

// urgent is the nice value of servers and clients. Beside other load, a server's share of the machine would decide: it has more of
// it with more threads.
const urgent = -20

// peer is a server in a process of its own.
type peer struct {
	dir string
	cmd *exec.Cmd
}

func startPeer(t *testing.T, how string) *peer {
	t.Helper()
	p := &peer{dir: t.TempDir(), cmd: exec.Command("nice", "-n", strconv.Itoa(urgent), os.Args[0])}
	p.cmd.Env = append(os.Environ(), "TEST_SERVE="+how, "TEST_DIR="+p.dir)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Unmount(p.dir)
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	for range 500 {
		if b, _ := slurp(p.dir + "/proc/meminfo"); len(b) > 0 {
			return p
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s does not serve", how)
	return nil
}

// cpu returns the CPU time the peer has used, in nanoseconds (/proc/PID/task/TID/schedstat).
func (p *peer) cpu() float64 {
	sum := 0.0
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	for _, task := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", p.cmd.Process.Pid, task.Name()))
		first, _, _ := strings.Cut(string(text), " ")
		v, _ := strconv.ParseFloat(first, 64)
		sum += v
	}
	return sum
}

// load reads with n threads for a while and returns reads per second and the server's CPU time for each.
func (p *peer) load(n int) (ops, cpu float64) {
	var count atomic.Int64
	var wg sync.WaitGroup
	before, start := p.cpu(), time.Now()
	for range n {
		wg.Go(func() {
			runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine
			if err := unix.Setpriority(unix.PRIO_PROCESS, 0, urgent); err != nil {
				return
			}
			for time.Since(start) < 200*time.Millisecond {
				if _, err := slurp(p.dir + "/proc/meminfo"); err == nil {
					count.Add(1)
				}
			}
		})
	}
	wg.Wait()
	done := float64(count.Load())
	return done / time.Since(start).Seconds(), (p.cpu() - before) / done
}

// Our loop serves at least as much as go-fuse's Server on the same tree, for at most 0.8 of its CPU time. Where the scheduler
// puts a server and its only client decides as much as the server does, on the same CPU or across two, and often for as long
// as they live: so three pairs of servers have a try.
func TestLoopAgainstGoFuse(t *testing.T) {
	for _, threads := range []int{1, 8} {
		var o, c float64
		for range 3 {
			if o, c = compareServers(t, threads); o >= 1 && c <= 0.8 {
				break
			}
		}
		if o < 1 || c > 0.8 {
			t.Errorf("%d threads: %.2f of go-fuse's reads, want at least 1.0; %.2f of its CPU time, want at most 0.8", threads, o, c)
		}
	}
}

// compareServers returns our loop's reads per second and CPU time for each as shares of go-fuse's, the medians of 15 rounds.
func compareServers(t *testing.T, threads int) (ops, cpu float64) {
	t.Helper()
	loop, server := startPeer(t, "loop"), startPeer(t, "go-fuse")
	var o, c []float64
	for range 15 {
		o1, c1 := loop.load(threads)
		o2, c2 := server.load(threads)
		o, c = append(o, o1/o2), append(c, c1/c2)
	}
	slices.Sort(o)
	slices.Sort(c)
	ops, cpu = o[len(o)/2], c[len(c)/2]
	t.Logf("%d threads: %.2f of the reads per second, %.2f of the CPU time for each", threads, ops, cpu)
	return ops, cpu
}
