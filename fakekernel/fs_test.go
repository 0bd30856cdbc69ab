package fakekernel

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"
)

func TestRawEdits(t *testing.T) {
	k := boot(t, "unified", "cgroup create /a\nwrite /proc/uptime 5.00 6.00\nwrite /proc/spl/kstat/zfs/arcstats c 1\\nd 2\nfail /sys/fs/cgroup/a/io.stat EACCES\nremove /proc/pressure")
	if got := read(t, k, "/proc/uptime"); got != "5.00 6.00\n" {
		t.Errorf("uptime %q", got)
	}
	if got := read(t, k, "/proc/spl/kstat/zfs/arcstats"); got != "c 1\nd 2\n" {
		t.Errorf("a file the machine does not have: %q", got)
	}
	if _, err := k.ReadFile("/sys/fs/cgroup/a/io.stat"); !errors.Is(err, syscall.EACCES) {
		t.Errorf("fail: %v", err)
	}
	if _, err := k.ReadFile("/proc/pressure/cpu"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("below a removed directory: %v", err)
	}
	names, err := afero.ReadDir(k, "/proc")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range names {
		if strings.HasPrefix(n.Name(), "p") || strings.HasPrefix(n.Name(), "s") {
			got = append(got, n.Name())
		}
	}
	if diff := cmp.Diff([]string{"self", "slabinfo", "spl", "stat", "swaps", "sys"}, got); diff != "" {
		t.Errorf("listing (-want +got)\n%s", diff)
	}
	do(t, k, "write /proc/self/cgroup 0::/x\nfail /sys/fs/cgroup/a/io.stat 0")
	if got := read(t, k, "/proc/437/cgroup"); got != "0::/x\n" {
		t.Errorf("an edit through a link is one of its target: %q", got)
	}
	if _, err := k.ReadFile("/sys/fs/cgroup/a/io.stat"); err != nil {
		t.Errorf("errno 0 ends a failure: %v", err)
	}
	do(t, k, "write /sys/fs/cgroup/a/memory.max 1\ncgroup remove /a\ncgroup create /a")
	if got := read(t, k, "/sys/fs/cgroup/a/memory.max"); got != "max\n" {
		t.Errorf("edits go with their cgroup: %q", got)
	}
	for _, bad := range [][]string{{"write", "proc/x", "y"}, {"write", "/", "y"}, {"fail", "/x", "EWHAT"}, {"nonsense"}, {"tick", "-1s"}, {"limit", "memory", "/"}} {
		if err := k.Do(bad[0], bad[1:]...); err == nil {
			t.Errorf("%v: succeeded", bad)
		}
	}
}

func TestFileReads(t *testing.T) {
	k := boot(t, "unified", "")
	f, err := k.Open("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	part := make([]byte, 9)
	if _, err := io.ReadFull(f, part); err != nil || string(part) != "MemTotal:" {
		t.Errorf("first bytes %q, %v", part, err)
	}
	do(t, k, "spawn p in /a\ncharge p anon=100M")
	rest, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	fresh := read(t, k, "/proc/meminfo")
	if string(part)+string(rest) == fresh {
		t.Error("a read that goes on must show the text it began with")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	again, err := io.ReadAll(f)
	if err != nil || string(again) != fresh {
		t.Errorf("a read from 0 must be fresh (%v)", err)
	}
	if n, err := f.ReadAt(part, 1<<20); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("past the end: %d, %v", n, err)
	}
	if err := k.Mkdir("/sys/fs/cgroup/x", 0o755); !errors.Is(err, os.ErrPermission) {
		t.Errorf("Mkdir = %v", err)
	}
	if _, err := k.Open("/proc/stat/x"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
	if fi, err := k.Stat("/proc/slabinfo"); err != nil || fi.Mode() != 0o400 || fi.Size() != 0 {
		t.Errorf("slabinfo %v %v", fi.Mode(), err)
	}
	if b, err := afero.ReadFile(k, "/sys/devices/system/cpu/online"); err != nil || string(b) != "0-3\n" {
		t.Errorf("through afero: %q %v", b, err)
	}
}

func TestReadsWhileVerbsRun(t *testing.T) {
	k := boot(t, "hybrid cpus=8", "cgroup create /a\nlimit cpu /a 1.5\nspawn p in /a threads=2\nrun p user=2")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				for _, file := range []string{"/proc/stat", "/proc/meminfo", "/proc/1000/status", "/sys/fs/cgroup/memory/a/memory.stat", "/sys/fs/cgroup/cpuacct/a/cpuacct.usage_all"} {
					if _, err := k.ReadFile(file); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 50 {
		do(t, k, "tick 1s\ncharge /a anon=1M\nspawn q in /a pidns=new\nhotplug 3 off\nkill q\nhotplug 3 on")
	}
	wg.Wait()
	checkInvariants(t, k)
}
