//go:build integration

package compare

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lxcfs/scripts/testbed"
)

// files are what both mounts are asked for; the last ones are questions, not files.
var files = []string{
	"proc/cpuinfo", "proc/diskstats", "proc/loadavg", "proc/meminfo", "proc/slabinfo", "proc/stat", "proc/swaps", "proc/uptime",
	"proc/pressure/cpu", "proc/pressure/io", "proc/pressure/memory",
	"sys/devices/system/cpu/online", "sys/devices/system/cpu/possible", "sys/devices/system/cpu/present", "sys/devices/system/cpu/offline",
}

const separator = "--8<--"

// directories asks one mount, $m, for what is no file's content; in shell builtins, for a
// guest takes 50 ms to start a process.
const directories = `cd $m/sys/devices/system/cpu && echo cpu[0-9]*`

// once are questions whose answer no limit changes, by name.
var once = map[string]string{
	"size":  `stat -c %s $m/proc/meminfo`,
	"past":  `dd if=$m/proc/uptime bs=1 skip=9999 count=1 2>&1 | grep -c Invalid`,
	"again": `/usr/bin/python3 -c 'import os, sys; f = os.open(sys.argv[1], os.O_RDONLY); os.pread(f, 4096, 0); print(b"\0" in os.pread(f, 4096, 0))' $m/proc/swaps`,
	"mode":  `stat -c %a $m/proc/slabinfo`,
	"write": `(echo > $m/proc/stat) 2>&1 | grep -o 'Read-only\|I/O error'`,
	"root":  `echo $(ls $m)`,
}

// trigger is refused only by who rounds its window, 3 s, to 2 s.
const trigger = `/usr/bin/python3 -c 'import os, sys
f = os.open(sys.argv[1], os.O_RDWR)
try: print(os.write(f, b"some 2500000 3000000\0") > 0)
except OSError as e: print(e.strerror)' /mnt/psi-${m#/mnt/}/proc/pressure/cpu`

// setting is one combination of limits, the parent's too, under one load.
type setting struct {
	own, parent testbed.Limits
	load        string
}

func (s setting) String() string {
	part := func(l testbed.Limits) string {
		return fmt.Sprintf("m=%dM M=%dM q=%v c=%s", l.Memory>>20, l.MemorySwap>>20, l.CPUs, l.CPUSet)
	}
	return fmt.Sprintf("%s; above %s; %s", part(s.own), part(s.parent), cmp.Or(s.load, "idle"))
}

// loads are shell commands, run before the first setting that names them.
var loads = map[string]string{
	"busy": `timeout 10 sh -c 'while :; do :; done' &`,
	"filled": `mkfifo /tmp/f; sleep 600 < /tmp/f & dd if=/dev/zero of=/tmp/f bs=20M count=1 2> /dev/null & p=$!
i=0; until [ "$(awk '/^VmRSS:/ {print $2}' /proc/$p/status)" -gt 20480 ] || [ $i -gt 600 ]; do sleep 0.05; i=$((i + 1)); done`,
	"cached": `dd if=/dev/zero of=/mnt/rw/f bs=1M count=16 conv=fsync 2> /dev/null; cat /mnt/rw/f > /dev/null`,
}

func settings(lastCPU int) []setting {
	last := strconv.Itoa(lastCPU)
	all := "0-" + last
	var s []setting
	for _, m := range []int64{64, 100, 256, 1024} {
		for _, swap := range []int64{0, 0, 64, 512} {
			l := testbed.Limits{Memory: m << 20}
			if swap > 0 || len(s)%4 == 1 {
				l.MemorySwap = (m + swap) << 20
			}
			s = append(s, setting{own: l})
		}
	}
	for _, quota := range []float64{0, 0.5, 1, 1.5, 2} {
		for _, set := range []string{"", "0", last, all} {
			s = append(s, setting{own: testbed.Limits{Memory: 128 << 20, CPUs: quota, CPUSet: set}})
		}
	}
	for _, load := range []string{"busy", "filled", "cached"} {
		s = append(s,
			setting{load: load, own: testbed.Limits{Memory: 128 << 20}},
			setting{load: load, own: testbed.Limits{}, parent: testbed.Limits{Memory: 200 << 20}},
			setting{load: load, own: testbed.Limits{Memory: 100 << 20}, parent: testbed.Limits{Memory: 200 << 20, MemorySwap: 300 << 20, CPUs: 1}},
			setting{load: load, own: testbed.Limits{}, parent: testbed.Limits{CPUs: 1}})
	}
	if testbed.HostLayout() == testbed.Unified { // v1 refuses a child what its parent lacks
		s = append(s, setting{own: testbed.Limits{CPUSet: all}, parent: testbed.Limits{CPUSet: "0"}})
	}
	return s
}

// cells splits one mount's answers into named values.
func cells(texts map[string]string) map[string]string {
	c := map[string]string{}
	for file, text := range texts {
		name := strings.TrimPrefix(strings.TrimPrefix(file, "proc/"), "sys/devices/system/cpu/")
		if strings.Contains(text, "No such file") {
			c[name] = "missing"
			continue
		}
		switch name {
		case "meminfo":
			for line := range strings.Lines(text) {
				if f := strings.Fields(line); len(f) > 1 {
					c[name+" "+strings.TrimSuffix(f[0], ":")] = f[1]
				}
			}
		case "stat":
			var ids []string
			for line := range strings.Lines(text) {
				f := strings.Fields(line)
				if len(f) < 2 {
					continue
				}
				if id, ok := strings.CutPrefix(f[0], "cpu"); ok && id != "" {
					ids = append(ids, id)
					c["stat cpu"] += strings.Join(f[1:], " ") + ";"
					continue
				}
				if f[0] == "cpu" {
					f[0] = "aggregate"
				}
				c[name+" "+f[0]] = strings.Join(f[1:], " ")
			}
			c["stat ids"] = strings.Join(ids, " ")
		case "cpuinfo":
			var ids []string
			for line := range strings.Lines(text) {
				if id, ok := strings.CutPrefix(line, "processor\t: "); ok {
					ids = append(ids, strings.TrimSpace(id))
				}
			}
			c["cpuinfo ids"] = strings.Join(ids, " ")
		case "uptime":
			up, idle, _ := strings.Cut(strings.TrimSpace(text), " ")
			c["uptime up"], c["uptime idle"] = up, idle
		case "diskstats", "slabinfo":
			c[name] = fmt.Sprint(strings.Count(text, "\n"), " lines")
		case "pressure/cpu", "pressure/io", "pressure/memory":
			c[name] = "present"
			c[name+" total"] = strings.Join(regexp.MustCompile(`total=\d+`).FindAllString(text, -1), " ")
		case "root/meminfo": // of the host's own root cgroup
			for field, value := range cells(map[string]string{"meminfo": text}) {
				c["root/"+field] = value
			}
		default:
			c[name] = strings.TrimSpace(text)
		}
	}
	return c
}

// read asks both mounts in the container: each file by one process, ours and theirs in
// turn. The kernel's own meminfo is read between them.
func read(t *testing.T, c *testbed.Container, scripts map[string]string) (ours, theirs, host map[string]string) {
	t.Helper()
	script := "cat"
	for _, f := range files {
		script += " /mnt/ours/" + f + " /tmp/sep /mnt/theirs/" + f + " /tmp/sep"
		if f == "proc/meminfo" {
			script += " /" + f + " /tmp/sep"
		}
	}
	names := slices.Sorted(maps.Keys(scripts))
	for _, n := range names {
		for _, m := range []string{"ours", "theirs"} {
			script += "\n(m=/mnt/" + m + "\n" + scripts[n] + "\n)\necho '" + separator + "'"
		}
	}
	out, err := c.Sh(script)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(out+"\n", separator+"\n")
	next := func() string { p := parts[0]; parts = parts[1:]; return p }
	ours, theirs = map[string]string{}, map[string]string{}
	for _, n := range append(slices.Clone(files), names...) {
		ours[n], theirs[n] = next(), next()
		if n == "proc/meminfo" {
			host = cells(map[string]string{n: next()})
		}
	}
	return cells(ours), cells(theirs), host
}

// beside are ours and theirs.
type beside struct{ ours, theirs *testbed.LXCFS }

func mount(t *testing.T, bin string, flags ...string) *testbed.LXCFS {
	t.Helper()
	l, err := testbed.Mount(bin, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// fromHost is a meminfo as this process sees it, which is in the root cgroup.
func fromHost(file string) map[string]string {
	text, err := os.ReadFile(file)
	if err != nil {
		return map[string]string{"root/meminfo": err.Error()}
	}
	return cells(map[string]string{"root/meminfo": string(text)})
}

// blank is a process that is init of a pid namespace of its own and takes a name of two
// words. It reads uptime from the mounts $1 and $2.
const blank = `echo 'a b' > /proc/self/comm
read a idle < $1/proc/uptime
read b idle < $2/proc/uptime
echo $a $b`

// sign makes a cell of an uptime.
func sign(up string) map[string]string {
	if strings.HasPrefix(up, "-") {
		return map[string]string{"blank": "negative"}
	}
	return map[string]string{"blank": "positive"}
}

// off switches both daemons off, lists both, and switches them on again.
func (b beside) off(t *testing.T) (ours, theirs map[string]string) {
	t.Helper()
	answer := func(l *testbed.LXCFS) map[string]string {
		toggle := func() {
			if err := syscall.Kill(l.PID, syscall.SIGUSR2); err != nil {
				t.Fatal(err)
			}
		}
		before := strings.Count(l.Log(), "\n")
		toggle()
		defer toggle()
		if err := testbed.Await("SIGUSR2 to "+l.Bin, testbed.Patience(2*time.Second), func() bool {
			return strings.Count(l.Log(), "\n") > before
		}); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{"/proc", "/sys/devices/system/cpu"} {
			if _, err := os.ReadDir(l.Dir + dir); err != nil {
				return map[string]string{"listing while off": "fails"}
			}
		}
		return map[string]string{"listing while off": "works"}
	}
	return answer(b.ours), answer(b.theirs)
}

func TestMain(m *testing.M) { os.Exit(testbed.Scratch(m.Run)) }

// Every difference between the two is a deviation, and every deviation makes a difference.
func TestCompare(t *testing.T) {
	ourBin, err := testbed.Binary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	peerBin := cmp.Or(os.Getenv("LXCFS_PEER"), "lxcfs")
	version, _ := exec.Command(peerBin, "--version").CombinedOutput()
	peer := strings.Trim(regexp.MustCompile(`\d+\.\d+`).FindString(string(version)), " ")
	if peer == "" {
		t.Fatalf("%s --version: %s", peerBin, version)
	}
	both := beside{mount(t, ourBin, "--enable-cfs"), mount(t, peerBin, "--enable-cfs")}
	binds := []string{"-G", "-b", both.ours.Dir + ":/mnt/ours", "-b", both.theirs.Dir + ":/mnt/theirs", "-b", t.TempDir() + ":/mnt/rw"}
	scripts := maps.Clone(once)
	scripts["directories"] = directories
	if peer[:1] == "7" { // the first that takes triggers
		scripts["trigger"] = trigger
		for name, bin := range map[string]string{"ours": ourBin, "theirs": peerBin} {
			binds = append(binds, "-b", mount(t, bin, "--enable-psi-poll").Dir+":/mnt/psi-"+name)
		}
	}
	c, err := testbed.Start(testbed.Runtimes[0], testbed.Limits{}, "", binds...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.Sh(`echo '` + separator + `' > /tmp/sep`); err != nil {
		t.Fatal(err)
	}
	release, err := c.ChargeBeside(20)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		t.Fatal(err)
	}
	cpus := expand(string(online))
	last, err := strconv.Atoi(cpus[len(cpus)-1])
	if err != nil {
		t.Fatal(err)
	}
	r := &run{peer: peer[:1], shown: map[string]int{}}
	report := func(s setting, ours, theirs map[string]string) {
		for _, d := range r.unintended(s, ours, theirs) {
			t.Errorf("%v: %s", s, d)
		}
	}
	loaded := map[string]bool{}
	all := settings(last)
	for _, s := range all {
		if s.load != "" && !loaded[s.load] {
			loaded[s.load] = true
			if _, err := c.Sh(loads[s.load]); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []error{c.Limit(testbed.Limits{}), c.LimitParent(s.parent), c.Limit(s.own)} {
			if step != nil {
				t.Fatalf("%v: %v", s, step)
			}
		}
		var a, b map[string]string
		a, b, r.host = read(t, c, scripts)
		scripts = map[string]string{"directories": directories}
		report(s, a, b)
	}
	out, err := exec.Command("unshare", "-p", "-f", "sh", "-c", blank, "sh", both.ours.Dir, both.theirs.Dir).CombinedOutput()
	if err != nil {
		t.Fatalf("unshare: %v: %s", err, out)
	}
	up, upTheirs, _ := strings.Cut(string(out), " ")
	report(setting{load: "a blank in init's name"}, sign(up), sign(upTheirs))
	if testbed.HostLayout() == testbed.Unified { // v1 has numbers of its root cgroup
		r.host = fromHost("/proc/meminfo")
		report(setting{load: "the host's root cgroup"}, fromHost(both.ours.Dir+"/proc/meminfo"), fromHost(both.theirs.Dir+"/proc/meminfo"))
	}
	a, b := both.off(t)
	report(setting{load: "switched off"}, a, b)
	t.Logf("%d settings on %s beside LXCFS %s", len(all), testbed.HostLayout(), peer)
	for _, d := range Deviations {
		t.Logf("%-4s %4d times  %s", d.ID, r.shown[d.ID], d.File)
		if r.shown[d.ID] == 0 && strings.Contains(d.Peers, r.peer) {
			t.Errorf("%s: %s: no setting shows it", d.ID, d.File)
		}
	}
}
