package fakekernel

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func nspid(t *testing.T, k *Kernel, path string) string {
	t.Helper()
	for line := range strings.Lines(read(t, k, path)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:\t"); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("%s has no NSpid", path)
	return ""
}

func nsOf(t *testing.T, k *Kernel, name string) string {
	t.Helper()
	pid, err := k.PID(name)
	if err != nil {
		t.Fatal(err)
	}
	link, err := k.ReadlinkIfPossible(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func TestPIDNamespaces(t *testing.T) {
	k := boot(t, "unified", `spawn outer in /a pidns=new threads=2
		spawn inner in /a/x pidns=new parent=outer
		spawn leaf in /a/y parent=inner threads=2
		spawn joined in /b pidns=of:inner
		spawn host in /c`)
	for name, want := range map[string]string{
		"outer": "1000\t1", "inner": "1002\t3\t1", "leaf": "1003\t4\t2", "joined": "1005\t6\t4", "host": "1006",
	} {
		pid, err := k.PID(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := nspid(t, k, fmt.Sprintf("/proc/%d/status", pid)); got != want {
			t.Errorf("NSpid of %s = %q, want %q", name, got, want)
		}
	}
	if got := nspid(t, k, "/proc/1003/task/1004/status"); got != "1004\t5\t3" {
		t.Errorf("NSpid of a second thread = %q", got)
	}
	if nsOf(t, k, "inner") != nsOf(t, k, "joined") || nsOf(t, k, "inner") == nsOf(t, k, "outer") || nsOf(t, k, "host") != "pid:[4026531836]" {
		t.Errorf("namespaces: outer %s inner %s joined %s host %s", nsOf(t, k, "outer"), nsOf(t, k, "inner"), nsOf(t, k, "joined"), nsOf(t, k, "host"))
	}
	inode := nsOf(t, k, "outer")
	do(t, k, "kill outer")
	if diff := cmp.Diff([]int{1, 2, 437, 1006}, sortedKeys(k.m.pids)); diff != "" {
		t.Errorf("after the outer init's death (-want +got)\n%s", diff)
	}
	do(t, k, "spawn next in /a/z pidns=new")
	if got := nsOf(t, k, "next"); got != inode {
		t.Errorf("the next namespace is %s, want the freed %s", got, inode)
	}
	checkInvariants(t, k)
}

func TestReuseHandsAPIDOn(t *testing.T) {
	k := boot(t, "unified", "spawn a in /one pidns=new\ntick 3s\nreuse a as b in /two pidns=new")
	a, _ := k.PID("a")
	b, _ := k.PID("b")
	if a != b || nspid(t, k, "/proc/1000/status") != "1000\t1" {
		t.Errorf("pids %d %d", a, b)
	}
	if got := read(t, k, "/proc/1000/cgroup"); got != "0::/two\n" {
		t.Errorf("cgroup %q", got)
	}
	if f := strings.Fields(read(t, k, "/proc/1000/stat")); f[21] != "100300" {
		t.Errorf("start time %s, want 1003 s in USER_HZ", f[21])
	}
}

func TestOpenFilesOfTheDead(t *testing.T) {
	for _, layout := range layouts {
		k := boot(t, layout, "cgroup create /a\nspawn p in /a pidns=new")
		dir := map[string]string{"unified": "/sys/fs/cgroup/a/", "legacy": "/sys/fs/cgroup/cpu/a/", "hybrid": "/sys/fs/cgroup/cpu,cpuacct/a/"}[layout]
		stat, err := k.Open(dir + "cpu.stat")
		if err != nil {
			t.Fatal(err)
		}
		cg, err := k.Open("/proc/1000/cgroup")
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		if n, _ := cg.ReadAt(buf, 0); !strings.Contains(string(buf[:n]), ":/a\n") {
			t.Errorf("%s: %q", layout, buf[:n])
		}
		do(t, k, "spawn q in /\nmove p to /b")
		if n, _ := cg.ReadAt(buf, 0); !strings.Contains(string(buf[:n]), ":/b\n") {
			t.Errorf("%s: an open file read at 0 again shows the move at once, got %q", layout, buf[:n])
		}
		do(t, k, "kill p\ncgroup remove /a")
		if _, err := cg.ReadAt(buf, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s: a dead process's open file: %v, want ESRCH", layout, err)
		}
		if _, err := stat.ReadAt(buf, 0); !errors.Is(err, syscall.ENODEV) {
			t.Errorf("%s: a removed cgroup's open file: %v, want ENODEV", layout, err)
		}
		do(t, k, "cgroup create /a")
		if _, err := stat.ReadAt(buf, 0); !errors.Is(err, syscall.ENODEV) {
			t.Errorf("%s: made again it is another cgroup: %v, want ENODEV", layout, err)
		}
		if _, err := k.Open(dir + "cpu.stat"); err != nil {
			t.Errorf("%s: the new one: %v", layout, err)
		}
	}
}

func TestCgroupRules(t *testing.T) {
	for _, c := range []struct {
		reason, layout, script, verb string
		errno                        error
	}{
		{"with a process", "unified", "spawn p in /a", "cgroup remove /a", syscall.EBUSY},
		{"with a child", "legacy", "cgroup create /a/b", "cgroup remove /a", syscall.EBUSY},
		{"not there", "hybrid", "", "cgroup remove /a", syscall.ENOENT},
		{"v2: processes only in leaves", "unified", "cgroup create /a/b", "spawn p in /a", syscall.EBUSY},
		{"v2: leaves without controllers", "unified", "cgroup create /a/b controllers=none", "spawn p in /a", nil},
		{"v1: anywhere", "legacy", "cgroup create /a/b", "spawn p in /a", nil},
		{"threads count against pids.max", "unified", "cgroup create /a\nlimit pids /a 2\nspawn p in /a threads=2", "spawn q in /a", syscall.EAGAIN},
		{"and in the whole subtree", "legacy", "cgroup create /a/b\nlimit pids /a 2\nspawn p in /a/b", "spawn q in /a threads=2", syscall.EAGAIN},
		{"the dead do not run", "unified", "spawn p in /a\nkill p", "run p user=1", syscall.ESRCH},
		{"one hierarchy alone", "legacy", "cgroup create memory:/a\ncgroup create /b", "cgroup remove cpu:/a", syscall.ENOENT},
	} {
		k := boot(t, c.layout, c.script)
		w := strings.Fields(c.verb)
		if err := k.Do(w[0], w[1:]...); !errors.Is(err, c.errno) {
			t.Errorf("%s: %s = %v, want %v", c.reason, c.verb, err, c.errno)
		}
		checkInvariants(t, k)
	}
}

func TestControllersOfAParentWithProcesses(t *testing.T) {
	k := boot(t, "unified", "spawn init in /a\ncgroup create /a/b\ncgroup create /c controllers=memory,pids\nspawn app in /a/b\ncharge app anon=5M")
	for file, want := range map[string]string{
		"/sys/fs/cgroup/a/b/cgroup.controllers": "", "/sys/fs/cgroup/a/cgroup.subtree_control": "",
		"/sys/fs/cgroup/c/cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
	} {
		if got := read(t, k, file); got != want {
			t.Errorf("%s = %q, want %q", file, got, want)
		}
	}
	if _, err := k.ReadFile("/sys/fs/cgroup/a/b/memory.current"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("memory.current without the controller: %v", err)
	}
	if got := usageOf(t, k, "/a"); got != 5<<20 {
		t.Errorf("the nearest cgroup with the controller counts %d, want 5M", got)
	}
}

func TestMoveBetweenHierarchies(t *testing.T) {
	k := boot(t, "legacy", "spawn p in /a\nmove p to memory:/m")
	got := read(t, k, "/proc/1000/cgroup")
	if !strings.Contains(got, "memory:/m\n") || !strings.Contains(got, "cpu:/a\n") || !strings.Contains(got, "name=systemd:/a\n") {
		t.Errorf("/proc/PID/cgroup\n%s", got)
	}
	if !strings.HasPrefix(got, "15:name=systemd:") {
		t.Errorf("the newest hierarchy comes first:\n%s", got)
	}
}

func TestProcessFiles(t *testing.T) {
	k := boot(t, "hybrid kernel=6.12", "run 437 user=0")
	if _, err := k.Spawn("odd", "/a", "comm=a b) (c and more", "uid=1000", "personality=8", "threads=3", "pidns=new"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, k, "/proc/1000/stat"); !strings.HasPrefix(got, "1000 (a b) (c and mor) S 1 ") {
		t.Errorf("stat %q", got)
	}
	if got := read(t, k, "/proc/1000/personality"); got != "00000008\n" {
		t.Errorf("personality %q", got)
	}
	if got := read(t, k, "/proc/1001/status"); !strings.Contains(got, "\nTgid:\t1000\n") || !strings.Contains(got, "\nUid:\t1000\t1000\t1000\t1000\n") {
		t.Errorf("a thread's own directory is there though not listed:\n%s", got)
	}
	do(t, k, "freeze /a")
	if got := read(t, k, "/proc/1000/task/1002/stat"); !strings.Contains(got, ") D ") {
		t.Errorf("frozen by v1: %q", got)
	}
	if got := read(t, k, "/sys/fs/cgroup/freezer/a/freezer.state"); got != "FROZEN\n" {
		t.Errorf("freezer.state %q", got)
	}
	if link, err := k.ReadlinkIfPossible("/sys/fs/cgroup/cpu"); err != nil || link != "cpu,cpuacct" {
		t.Errorf("link of a joined controller: %q, %v", link, err)
	}
	if fi, err := k.Stat("/proc/self/ns/pid"); err != nil || fi.Sys().(*syscall.Stat_t).Ino != initNSInode {
		t.Errorf("stat of a namespace: %v, %v", fi, err)
	}
}
