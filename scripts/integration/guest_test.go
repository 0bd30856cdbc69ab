//go:build integration && guest

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lxcfs/scripts/testbed"
)

// These tests change the machine, so they run in a guest of vm.sh and nowhere else: pure v2,
// at least 256 MiB of swap, two CPUs and a scratch disk.
func guest(t *testing.T) {
	t.Helper()
	if !testbed.Guest() || testbed.HostLayout() != testbed.Unified || host.swap < 256<<10 {
		t.Fatal("this wants a guest: scripts/testbed/vm.sh -s 512 -d 64")
	}
}

var crun = testbed.Runtimes[0]

// fill makes a process hold MiB of memory in the container, part of which may be swapped,
// and waits until the cgroup has been charged. They are not zero: pages of zeroes are
// neither written to swap nor compressed (swap_zeromap_folio_set, Linux 6.12).
func fill(t *testing.T, c *testbed.Container, mib int) {
	t.Helper()
	ask(t, c, fmt.Sprintf(`mkfifo /tmp/full; sleep 600 < /tmp/full &
yes | dd iflag=fullblock of=/tmp/full bs=%dM count=1 2> /dev/null & echo $! > /tmp/dd
i=0; until [ "$(awk '/^(VmRSS|VmSwap):/ {n += $2} END {print n}' /proc/$(cat /tmp/dd)/status)" -gt %d ] || [ $i -gt 600 ]; do
sleep 0.1; i=$((i + 1)); done`, mib, mib<<10))
}

// A container pushed into swap shows how much of its own swap is in use.
func TestSwapped(t *testing.T) {
	guest(t)
	c := start(t, crun, testbed.Limits{Memory: 64 << 20, MemorySwap: 192 << 20})
	if got := number(t, c, `free -k | awk '/^Swap:/ {print $2}'`); got != 128<<10 {
		t.Errorf("swap = %v kB, want %d", got, 128<<10)
	}
	fill(t, c, 100)
	if got := number(t, c, `free -k | awk '/^Swap:/ {print $3}'`); got < 30<<10 || got > 110<<10 {
		t.Errorf("swap used = %v kB after 100 of 64 MiB, want 30 to 110 MiB", got)
	}
	if got := number(t, c, `awk 'NR == 2 {print $4}' /proc/swaps`); got < 30<<10 {
		t.Errorf("/proc/swaps says %v kB used", got)
	}
}

// With zswap (boot with zswap.enabled=1) swapped pages show as compressed ones.
func TestZswap(t *testing.T) {
	guest(t)
	c := start(t, crun, testbed.Limits{Memory: 64 << 20, MemorySwap: 192 << 20})
	fill(t, c, 100)
	if got := number(t, c, `awk '/^Zswapped:/ {print $2}' /proc/meminfo`); got < 10<<10 {
		t.Errorf("Zswapped = %v kB with a container 36 MiB over its limit", got)
	}
}

// A trigger written to the container's pressure file wakes poll(2) when its cgroup stalls.
func TestPressureTrigger(t *testing.T) {
	guest(t)
	psi, err := testbed.Mount(lx.Bin, "--enable-psi-poll")
	if err != nil {
		t.Fatal(err)
	}
	c, err := testbed.Start(crun, testbed.Limits{CPUs: 0.2}, psi.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := psi.Close(); err != nil {
			t.Error(err)
		}
	})
	got := ask(t, c, `/usr/bin/python3 -c 'import os, select
f = os.open("/proc/pressure/cpu", os.O_RDWR | os.O_NONBLOCK)
os.write(f, b"some 100000 2000000\0")
p = select.poll(); p.register(f, select.POLLPRI)
os.system("for i in 1 2; do while :; do :; done & done")
e = p.poll(30000)
print(e[0][1] & (select.POLLPRI | select.POLLERR) if e else "timeout", "of", select.POLLPRI)'`)
	if got != "2 of 2" {
		t.Errorf("poll of a stalled container's trigger: events %s\n%s", got, ask(t, c, "cat /proc/pressure/cpu"))
	}
}

// What the container writes to a disk is in its diskstats, and no other disk is.
func TestDisk(t *testing.T) {
	guest(t)
	dir := t.TempDir()
	for _, cmd := range [][]string{
		{"timeout", "60", "busybox", "mke2fs", "/dev/scratch"},
		{"timeout", "60", "mount", "-t", "ext4", "/dev/scratch", dir},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd, err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	disk, err := os.Readlink("/dev/scratch")
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, crun, testbed.Limits{}, "-b", dir+":/mnt")
	ask(t, c, `timeout 60 dd if=/dev/zero of=/mnt/f bs=1M count=8 oflag=direct 2> /dev/null`)
	if got := ask(t, c, `awk '{print $3}' /proc/diskstats`); got != disk {
		t.Errorf("disks = %q, want %q alone", got, disk)
	}
	if got := number(t, c, `awk '{print $10}' /proc/diskstats`); got < 8<<11 || got > 9<<11 {
		t.Errorf("sectors written = %v, want %d", got, 8<<11)
	}
}

// memory.high throttles and reclaims; the size stays memory.max and nothing wraps.
func TestMemoryHigh(t *testing.T) {
	guest(t)
	c := start(t, crun, testbed.Limits{Memory: 128 << 20})
	dir, err := c.Cgroup("memory")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "memory.high"), []byte("32M"), 0); err != nil {
		t.Fatal(err)
	}
	fill(t, c, 40)
	total := number(t, c, `awk '/^MemTotal:/ {print $2}' /proc/meminfo`)
	if total != 128<<10 {
		t.Errorf("MemTotal = %v kB, want %d", total, 128<<10)
	}
	if free := number(t, c, `awk '/^MemFree:/ {print $2}' /proc/meminfo`); free > total || free < 64<<10 {
		t.Errorf("MemFree = %v kB of %v", free, total)
	}
}

// A CPU that goes offline is gone from every file of a running container, and comes back.
func TestHotplug(t *testing.T) {
	guest(t)
	c := start(t, crun, testbed.Limits{})
	last := host.cpus[len(host.cpus)-1]
	file := fmt.Sprintf("/sys/devices/system/cpu/cpu%d/online", last)
	seen := func() string {
		return ask(t, c, `echo $(grep -c ^processor /proc/cpuinfo) $(grep -c '^cpu[0-9]' /proc/stat) $(getconf _NPROCESSORS_ONLN) $(lscpu -p=CPU | grep -vc '^#')`)
	}
	all := len(host.cpus)
	for _, step := range []struct {
		value string
		cpus  int
	}{{"0", all - 1}, {"1", all}} {
		if err := os.WriteFile(file, []byte(step.value), 0); err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSpace(strings.Repeat(strconv.Itoa(step.cpus)+" ", 4))
		var got string
		if err := testbed.Await("hotplug", testbed.Patience(2*time.Second), func() bool { got = seen(); return got == want }); err != nil {
			t.Errorf("cpu%d online=%s: cpuinfo, stat, sysconf, lscpu show %s, want %s", last, step.value, got, want)
		}
	}
}
