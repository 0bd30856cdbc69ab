//go:build integration

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSystemCalls bounds the worker's system calls for a warm read of each file, by a container whose cgroup is two levels deep. It is the
// guard of performance that a busy machine cannot upset. Waiting for the next request is left out: it depends on who runs when.
func TestSystemCalls(t *testing.T) {
	const levels = 2
	d := start(t)
	worker := d.workers(t)[0]
	pinTasks(t, worker)
	enter := container(t)
	unified := fileExists("/sys/fs/cgroup/cgroup.controllers")
	// OPEN, READ, READ at the end of the file, which cat(1) adds, and RELEASE are read and written; whose namespace it is and, every 100 ms,
	// its cgroup are asked for.
	const carried = 4*2 + 1 + 1
	for _, f := range []struct {
		path   string
		v1, v2 int // kernel files of the container and host, on hosts with swap
	}{
		{"proc/meminfo", 5, 2 + 2*levels + 1},
		{"proc/swaps", 5, 2 + 2*levels},
		{"proc/stat", 5, 5},
		{"proc/uptime", 3, 3},
		{"proc/cpuinfo", 2, 2},
		{"proc/diskstats", 4, 2},
		{"sys/devices/system/cpu/online", 2, 2},
	} {
		want := carried + f.v1
		if unified {
			want = carried + f.v2
		}
		best := 1e9
		for range 3 { // another process on the CPU makes the reader and the worker wait for each other more often
			if best <= float64(want) {
				break
			}
			best = min(best, countCalls(t, worker, enter, filepath.Join(d.dir, f.path)))
		}
		if best > float64(want)+.5 || best < 8 {
			t.Errorf("%s: %.2f system calls for a warm read by cat(1), want %d at most", f.path, best, want)
		}
		t.Logf("%s: %.2f system calls, %d at most", f.path, best, want)
	}
}

// countCalls has a container read path and returns the worker's system calls for each time.
func countCalls(t *testing.T, worker int, enter, path string) float64 {
	t.Helper()
	const reads = 200
	cat := enter + "exec taskset -c 0 unshare -pf cat" + strings.Repeat(" "+path, reads) + " >/dev/null"
	if out, err := exec.Command("sh", "-c", cat).CombinedOutput(); err != nil { // warms, too
		t.Fatalf("cat in a container: %v: %s", err, out)
	}
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("needs strace: nothing else counts system calls by name everywhere")
	}
	table := filepath.Join(t.TempDir(), "calls")
	trace := exec.Command("strace", "-f", "-c", "-U", "calls,errors,name", "-o", table, "-p", strconv.Itoa(worker))
	if err := trace.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "strace is attached", func() bool { return traced(worker) })
	out, err := exec.Command("sh", "-c", cat).CombinedOutput()
	trace.Process.Signal(unix.SIGINT)
	trace.Wait()
	if err != nil {
		t.Fatalf("cat in a container: %v: %s", err, out)
	}
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	return float64(working(string(text))) / reads
}

// working adds up the calls in strace's table but for those that wait, and those that find nothing to read.
func working(table string) (n int) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		name := f[len(f)-1]
		calls, err := strconv.Atoi(f[0])
		if err != nil || slices.Contains([]string{"total", "epoll_pwait", "futex", "nanosleep", "ppoll", "restart_syscall", "tgkill", "rt_sigreturn", "getpid"}, name) {
			continue
		}
		if failed, err := strconv.Atoi(f[1]); name == "read" && err == nil && len(f) == 3 {
			calls -= failed
		}
		n += calls
	}
	return n
}

// traced reports whether every thread of pid has a tracer.
func traced(pid int) bool {
	list, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, status := range list {
		text, err := os.ReadFile(status)
		if err == nil && strings.Contains(string(text), "TracerPid:\t0\n") {
			return false
		}
	}
	return len(list) > 0
}

// pinTasks binds the process to CPU 0, where the reader will be: requests follow each other without a pause there.
func pinTasks(t *testing.T, pid int) {
	t.Helper()
	var set unix.CPUSet
	set.Set(0)
	list, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range list {
		tid, err := strconv.Atoi(filepath.Base(task))
		if err == nil {
			err = unix.SchedSetaffinity(tid, &set)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			t.Fatal(err)
		}
	}
}

// container makes cgroups two levels deep, limited to 256 MiB, and returns the shell commands that move the shell there.
func container(t *testing.T) (enter string) {
	t.Helper()
	roots := []string{"/sys/fs/cgroup"}
	if !fileExists("/sys/fs/cgroup/cgroup.controllers") {
		roots = nil
		for _, c := range []string{"memory", "cpu", "cpuacct", "cpuset", "blkio"} {
			roots = append(roots, "/sys/fs/cgroup/"+c)
		}
	}
	name := "lxcfs-syscalls-" + strconv.Itoa(os.Getpid())
	for _, root := range roots {
		dirs := []string{filepath.Join(root, name), filepath.Join(root, name, "c")}
		for i, dir := range dirs {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				until(t, dir+" can be removed", func() bool { return os.Remove(dir) == nil })
			})
			for _, f := range []string{"cpuset.cpus", "cpuset.mems"} { // v1 wants them before a process
				if text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), f)); err == nil {
					os.WriteFile(filepath.Join(dir, f), text, 0)
				}
			}
			if i == 0 && root == "/sys/fs/cgroup" {
				os.WriteFile(dir+"/cgroup.subtree_control", []byte("+memory +cpu +cpuset +io"), 0)
			}
		}
		for _, f := range []string{"memory.max", "memory.limit_in_bytes"} {
			if limit := filepath.Join(dirs[1], f); fileExists(limit) {
				if err := os.WriteFile(limit, []byte("268435456"), 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		enter += "echo $$ > " + dirs[1] + "/cgroup.procs; "
	}
	return enter
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
