//go:build integration

package integration

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lxcfs/scripts/testbed"
)

// number is the one number that a script prints in the container.
func number(t *testing.T, c *testbed.Container, script string) float64 {
	t.Helper()
	out := ask(t, c, script)
	n, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return n
}

// A process that touches 100 MiB shows as 100 MiB used, within 5 %, whoever is asked.
func TestMemoryLoad(t *testing.T) {
	t.Parallel()
	c := start(t, testbed.Runtimes[0], testbed.Limits{Memory: 512 << 20})
	readers := map[string]string{ // used, in kB
		"MemFree": `awk '/^MemTotal:/ {t = $2} /^MemFree:/ {print t - $2}' /proc/meminfo`,
		"free":    `free -k | awk '/^Mem:/ {print $3}'`,
		"top":     `top -bn1 | awk '/^MiB Mem/ {print $8 * 1024}'`,
		"vmstat":  `vmstat -s | awk '/K used memory/ {print $1}'`,
		"node":    node(`(os.totalmem() - os.freemem()) / 1024`),
	}
	before := map[string]float64{}
	for range 2 { // the first round brings the programs' own pages into the container's cache
		for name, script := range readers {
			before[name] = number(t, c, script)
		}
	}
	// dd fills its buffer and then waits: nobody reads the fifo.
	ask(t, c, `mkfifo /tmp/full; sleep 600 < /tmp/full &
dd if=/dev/zero of=/tmp/full bs=100M count=1 2> /dev/null & echo $! > /tmp/dd
i=0; until [ "$(awk '/^VmRSS:/ {print $2}' /proc/$(cat /tmp/dd)/status)" -gt 102400 ] || [ $i -gt 600 ]; do sleep 0.05; i=$((i + 1)); done`)
	for name, script := range readers {
		if grown := (number(t, c, script) - before[name]) / 1024; math.Abs(grown-100) > 5 {
			t.Errorf("%s: 100 MiB show as %.1f MiB", name, grown)
		} else {
			t.Logf("%s: 100 MiB show as %.1f MiB", name, grown)
		}
	}
	if share := number(t, c, `ps -o pmem= -p $(cat /tmp/dd)`); math.Abs(share-100*100/512.) > 1.5 {
		t.Errorf("ps: 100 of 512 MiB show as %.1f %%", share)
	}
}

// usage is the CPU time that the container's cgroup has used.
func usage(t *testing.T, c *testbed.Container) time.Duration {
	t.Helper()
	controller, file, key := "cpuacct", "cpuacct.usage", ""
	if testbed.HostLayout() == testbed.Unified {
		controller, file, key = "cpu", "cpu.stat", "usage_usec "
	}
	dir, err := c.Cgroup(controller)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(string(b), key), "\n")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		return time.Duration(n) * time.Microsecond
	}
	return time.Duration(n)
}

// shares are the least and the most that the container's cgroup used in any window of that
// length while work ran, as percentages of the host's CPUs.
func shares(t *testing.T, c *testbed.Container, window time.Duration, work func()) (low, high float64) {
	t.Helper()
	type point struct {
		at   time.Time
		used time.Duration
	}
	low, high = 100, 0
	points := []point{{time.Now(), usage(t, c)}} // asks the container for its pid, which work would hold up
	done := make(chan struct{})
	go func() { defer close(done); work() }()
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		now := point{time.Now(), usage(t, c)}
		points = append(points, now)
		for len(points) > 1 && now.at.Sub(points[1].at) >= window {
			points = points[1:]
		}
		if d := now.at.Sub(points[0].at); d >= window {
			share := 100 * (now.used - points[0].used).Seconds() / d.Seconds() / float64(len(host.cpus))
			low, high = min(low, share), max(high, share)
		}
		select {
		case <-done:
			return low, high
		default:
		}
	}
}

// window is a little less than the four seconds that the watchers of the next test look.
const window = 3500 * time.Millisecond

// One busy CPU of two shows as 50 % (of four as 25 %), within 5, whoever is asked. The
// container has the greatest weight there is, and an attempt counts only when its
// cgroup did get its one CPU all the time, as the kernel accounts it: what other programs
// of the machine take away is not there to be shown.
func TestCPULoad(t *testing.T) {
	c := start(t, testbed.Runtimes[0], testbed.Limits{}, "-w", "262144")
	ask(t, c, `while :; do :; done & echo $! > /tmp/busy`)
	watchers := map[string]string{
		"top":     `top -b -d 4 -n 2 | awk -F'[ ,]+' '/^%Cpu/ {n = 100; for (i = 2; i <= NF; i++) if ($i == "id") n = 100 - $(i - 1)} END {print n}'`,
		"vmstat":  `vmstat 4 2 | awk 'END {print 100 - $15}'`,
		"mpstat":  `LC_ALL=C mpstat 4 1 | awk '/^Average/ {print 100 - $NF}'`,
		"iostat":  `LC_ALL=C iostat -c 4 2 | awk 'NF == 6 && /^ / {n = 100 - $6} END {print n}'`,
		"sar":     `LC_ALL=C sar -u 4 1 | awk '/^Average/ {print 100 - $NF}'`,
		"busybox": `busybox top -b -d 4 -n 2 | awk '/^CPU:/ {n = 100 - $8} END {print n}'`,
	}
	var all strings.Builder
	for name, script := range watchers {
		fmt.Fprintf(&all, "(%s) > /tmp/%s & p=\"$p $!\"\n", script, name)
	}
	const attempts = 10
	want := 100 / float64(len(host.cpus))
	for attempt := 1; ; attempt++ {
		low, high := shares(t, c, window, func() { ask(t, c, "p=\n"+all.String()+"wait $p") })
		t.Logf("the cgroup used %.1f to %.1f %% of %d CPUs", low, high, len(host.cpus))
		if low <= high && low > want-2.5 && high < want+2.5 {
			break
		}
		if attempt == attempts {
			t.Fatalf("no undisturbed %v in %d attempts: this machine is too busy", window, attempts)
		}
	}
	for name := range watchers {
		if got := number(t, c, "cat /tmp/"+name); math.Abs(got-want) > 5 {
			t.Errorf("%s: shows %.1f %% busy, want %.0f", name, got, want)
		} else {
			t.Logf("%s: %.1f %%", name, got)
		}
	}
	if n := number(t, c, `awk '/^procs_running/ {print $2}' /proc/stat`); !reference && (n < 1 || n > 4) {
		t.Errorf("procs_running = %v, want the busy one and who reads", n)
	}
}

// counters are the numbers of a sample that only ever grow, by name.
func counters(sample string) map[string]float64 {
	m := map[string]float64{}
	put := func(name string, values []string, except ...int) {
		for i, v := range values {
			if n, err := strconv.ParseFloat(v, 64); err == nil {
				m[fmt.Sprintf("%s field %d", name, i+1)] = n
			}
		}
		for _, i := range except {
			delete(m, fmt.Sprintf("%s field %d", name, i))
		}
	}
	for line := range strings.Lines(sample) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && strings.Contains(f[0], "."):
			put("uptime", f)
		case len(f) > 9 && strings.HasPrefix(f[0], "cpu"):
			put("stat "+f[0], f[1:])
		case len(f) == 2 && (f[0] == "ctxt" || f[0] == "processes"):
			put("stat "+f[0], f[1:])
		case len(f) >= 14:
			put("diskstats "+f[2], f[3:], 9) // I/Os in progress come and go
		}
	}
	return m
}

// No counter falls in a minute of readings one second apart, while the container's load
// comes and goes and others read at the same time.
func TestNothingFalls(t *testing.T) {
	t.Parallel()
	c := start(t, testbed.Runtimes[0], testbed.Limits{Memory: 128 << 20, CPUs: 1.5}, "-b", t.TempDir()+":/mnt")
	ask(t, c, `for r in 1 2; do while sleep 0.05; do cat /proc/stat /proc/uptime > /dev/null; done & done
while sleep 2; do timeout 1.5 sh -c 'while :; do :; done'; dd if=/dev/zero of=/mnt/f bs=1M count=4 conv=fsync; done > /dev/null 2>&1 &`)
	const samples = 60
	out, err := c.ShFor(testbed.Patience(2*time.Minute), fmt.Sprintf(
		`for i in $(seq %d); do echo ==; cat /proc/stat /proc/uptime /proc/diskstats; sleep 1; done`, samples))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(out, "==\n")[1:]
	if len(all) != samples {
		t.Fatalf("%d samples, want %d", len(all), samples)
	}
	last, rose := map[string]float64{}, 0
	for i, sample := range all {
		now := counters(sample)
		for name, n := range now {
			if was, ok := last[name]; ok && n < was {
				if reference && name == "uptime field 2" {
					continue // its idle time is elapsed - used, whatever the number of CPUs
				}
				t.Errorf("sample %d: %s fell from %v to %v", i, name, was, n)
			} else if ok && n > was {
				rose++
			}
		}
		for name := range last {
			if _, ok := now[name]; !ok {
				t.Errorf("sample %d: %s is gone", i, name)
			}
		}
		last = now
	}
	t.Logf("%d counters, %d rises", len(last), rose)
	if rose < samples {
		t.Errorf("only %d counters rose: is this a container's own reading?", rose)
	}
}

// A paused container stands still: no CPU time, the same memory; only the clock goes on.
func TestFrozen(t *testing.T) {
	t.Parallel()
	c := start(t, testbed.Runtimes[0], testbed.Limits{Memory: 128 << 20})
	ask(t, c, `while :; do :; done &`)
	if _, err := c.PID(); err != nil {
		t.Fatal(err)
	}
	if err := c.Freeze(true); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Freeze(false); err != nil {
			t.Error(err)
		}
	}()
	sample := func() (cpu, used, idle float64) {
		out, err := c.FromHost("awk", `FNR == 1 && $1 == "cpu" {cpu = $2 + $3 + $4; idle = $5}
/^MemTotal:/ {total = $2} /^MemFree:/ {used = total - $2} END {print cpu, used, idle}`, "/proc/stat", "/proc/meminfo")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(out, &cpu, &used, &idle); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		return cpu, used, idle
	}
	sample() // pays for what the first reader brings into the cache
	cpu, used, idle := sample()
	began := time.Now()
	if err := testbed.Await("idle time of a paused container grows", testbed.Patience(5*time.Second), func() bool {
		_, _, now := sample()
		return now > idle && time.Since(began) > 2*time.Second
	}); err != nil {
		t.Error(err)
	}
	// The kernel charges in batches of 64 pages per CPU and gives back what it did not need.
	batches := float64(64 * 4 * len(host.cpus))
	if cpu2, used2, _ := sample(); cpu2 != cpu || math.Abs(used2-used) > batches {
		t.Errorf("paused: CPU ticks %v, then %v; memory used %v kB, then %v", cpu, cpu2, used, used2)
	}
}

// SIGTERM ends the daemon although another mount namespace still holds a copy of its mount,
// as every container's does.
func TestEnds(t *testing.T) {
	t.Parallel()
	l, err := testbed.Mount(lx.Bin)
	if err != nil {
		t.Fatal(err)
	}
	holder := exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c", "echo; exec sleep 600")
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
	if _, err := out.Read(make([]byte, 1)); err != nil { // in its namespace by now
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
