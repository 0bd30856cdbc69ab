package core_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

// FuzzScenario turns bytes into verbs, applies them to a host of each layout, and holds what containers
// see against what must always be so.
func FuzzScenario(f *testing.F) {
	for _, seed := range []string{
		"",
		"quota and cpuset \x03\x01\x02\x04\x00\x01\x05\x02\x03",
		strings.Repeat("\x06\x05\x02\x09\x01\x04", 12),
		"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 200 {
			return
		}
		var worlds []*world
		for _, layout := range []string{"legacy", "hybrid", "unified"} {
			worlds = append(worlds, newWorld(t, layout))
		}
		in := &input{script}
		files := []string{"proc/uptime", "sys/devices/system/cpu/online", "sys/devices/system/cpu/possible"}
		for step := 0; len(in.b) > 0 && step < 40; step++ {
			verb := decode(in)
			agree := true
			for i, w := range worlds {
				w.do(verb)
				agree = agree && (w.failed == nil) == (worlds[0].failed == nil)
				w.check(i, verb)
			}
			// v1 does not give a CPU back to a cpuset when it comes online again.
			files = slices.DeleteFunc(files, func(f string) bool {
				return verb[0] == "hotplug" && strings.HasPrefix(f, "sys/")
			})
			if agree {
				compareLayouts(t, worlds, files, verb)
			} else {
				return // one layout refused what another did: they are different hosts from here on
			}
		}
	})
}

// input hands out the fuzzer's bytes, then zeros.
type input struct{ b []byte }

func (in *input) n(below int) int {
	if len(in.b) == 0 {
		return 0
	}
	n := int(in.b[0]) % below
	in.b = in.b[1:]
	return n
}

// containers of a world: b and c are below the same parent, n is nested in c.
var containers = []string{"a", "b", "c", "n"}

var cgroupOf = map[string]string{"a": "/a", "b": "/p/b", "c": "/p/c", "n": "/p/c/n", "": "/p"}

// decode makes one verb of the scenario language.
func decode(in *input) []string {
	name := containers[in.n(len(containers))]
	cg := cgroupOf[name]
	size := strconv.Itoa(1<<in.n(10)) + []string{"M", "K"}[in.n(2)]
	switch in.n(14) {
	case 0:
		return []string{"limit", "memory", cg, size}
	case 1:
		return []string{"limit", "memory", "/p", size}
	case 2:
		return []string{"limit", "cpu", cg, []string{"0.5", "1", "1.5", "3", "max"}[in.n(5)]}
	case 3:
		return []string{"limit", "cpu", "/p", []string{"0.5", "2", "max"}[in.n(3)]}
	case 4:
		return []string{"limit", "cpuset", "/a", []string{"0", "1", "0-1", "1,3", "0-3", "2-3"}[in.n(6)]}
	case 5:
		key := []string{"anon", "file", "shmem", "file_dirty", "active_file", "slab_reclaimable", "kernel_stack", "anon_thp"}[in.n(8)]
		return []string{"charge", cg, key + "=" + size}
	case 6:
		return []string{"charge", cg, "anon=-" + size}
	case 7:
		return []string{"run", name, "user=" + []string{"0", "0.5", "1", "4"}[in.n(4)], "system=" + []string{"0", "0.25", "1"}[in.n(3)]}
	case 8:
		return []string{"tick", []string{"10ms", "1s", "5s", "17s"}[in.n(4)]}
	case 9:
		return []string{"io", name, "sda", "read=" + size, "write=" + size}
	case 10:
		return []string{"swap", cg, []string{"out=", "in="}[in.n(2)] + size}
	case 11:
		return []string{"hotplug", strconv.Itoa(1 + in.n(3)), []string{"off", "on"}[in.n(2)]}
	case 12:
		return []string{[]string{"freeze", "thaw"}[in.n(2)], cg}
	}
	return []string{"reuse", name, "as", name, "in", cg, "pidns=new"}
}

// world is a host of one layout, and what its containers were shown so far.
type world struct {
	t      *testing.T
	layout string
	k      *fakekernel.Kernel
	core   *core.Core
	failed error
	seen   map[string]life // by container
}

// life is what a container's last reads showed, by its current pid's start.
type life struct {
	pid      int
	counters map[string][]uint64
}

func newWorld(t *testing.T, layout string) *world {
	k, err := fakekernel.Boot(layout, "cpus=4", "memory=1G", "swap=512M", "disks=sda", "hugepages=8")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, layout: layout, k: k, seen: map[string]life{}}
	for _, verb := range []string{
		"cgroup create /a", "cgroup create /p", "cgroup create /p/b", "cgroup create /p/c", "cgroup create /p/c/n",
		"spawn a in /a pidns=new", "spawn b in /p/b pidns=new",
		"spawn c in /p/c/init.scope pidns=new", "spawn n in /p/c/n pidns=new parent=c",
	} {
		f := strings.Fields(verb)
		if err := k.Do(f[0], f[1:]...); err != nil {
			t.Fatalf("%s: %s: %v", layout, verb, err)
		}
	}
	w.core, err = core.New(kernelfs.New(k), core.Options{CFS: true})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) do(verb []string) {
	w.failed = w.k.Do(verb[0], verb[1:]...)
	if verb[0] == "reuse" {
		delete(w.seen, verb[1]) // another container now
	}
	if verb[0] == "tick" && w.failed == nil {
		if d, _ := time.ParseDuration(verb[1]); d >= 5*time.Second {
			w.core.Tick()
		}
	}
}

func (w *world) alive(name string) bool {
	pid, err := w.k.PID(name)
	if err == nil {
		_, err = w.k.Stat("/proc/" + strconv.Itoa(pid))
	}
	return err == nil
}

func (w *world) read(name, file string) string {
	w.t.Helper()
	pid, err := w.k.PID(name)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := w.core.Read(core.Caller{PID: pid}, file, nil)
	if err != nil {
		w.t.Fatalf("%s: %s as %s: %v", w.layout, file, name, err)
	}
	return string(b)
}

// check holds every file of every container against what must always be so.
func (w *world) check(_ int, verb []string) {
	w.t.Helper()
	for _, name := range containers {
		if !w.alive(name) {
			continue // killed for lack of memory, or with the init of its namespace
		}
		v := view{w: w, name: name, verb: verb, files: map[string]string{}}
		for i := range core.Files {
			path := core.Files[i].Path
			text := w.read(name, path)
			v.files[path] = text
			if text != "" && !strings.HasSuffix(text, "\n") {
				v.fail("%s does not end in a newline: %q", path, text)
			}
			if strings.IndexByte(text, 0) >= 0 {
				v.fail("%s has a NUL byte", path)
			}
		}
		v.memory()
		v.cpus()
		v.falls()
	}
}

// view is what one container is shown at one moment.
type view struct {
	w     *world
	name  string
	verb  []string
	files map[string]string
}

func (v view) fail(format string, args ...any) {
	v.w.t.Helper()
	v.w.t.Fatalf("%s: container %s after %v: %s", v.w.layout, v.name, v.verb, fmt.Sprintf(format, args...))
}

func sizes(text string) (order []string, kb map[string]uint64) {
	kb = map[string]uint64{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		label := strings.TrimSuffix(f[0], ":")
		n, _ := strconv.ParseUint(f[1], 10, 64)
		order, kb[label] = append(order, label), n
	}
	return order, kb
}

func (v view) memory() {
	v.w.t.Helper()
	host, err := v.w.k.ReadFile("/proc/meminfo")
	if err != nil {
		v.w.t.Fatal(err)
	}
	hostOrder, hostKB := sizes(string(host))
	order, kb := sizes(v.files["proc/meminfo"])
	if !slices.Equal(order, hostOrder) {
		v.fail("meminfo's labels are %v, the host's %v", order, hostOrder)
	}
	if kb["MemTotal"] == 0 || kb["MemTotal"] > hostKB["MemTotal"] {
		v.fail("MemTotal is %d kB, the host's %d", kb["MemTotal"], hostKB["MemTotal"])
	}
	for label, n := range kb {
		switch {
		case strings.HasPrefix(label, "Swap") && label != "SwapCached", label == "Zswapped":
			if n > hostKB["SwapTotal"] {
				v.fail("%s is %d kB, the host's swap %d", label, n, hostKB["SwapTotal"])
			}
		case n > kb["MemTotal"]:
			v.fail("%s is %d kB, MemTotal %d", label, n, kb["MemTotal"])
		}
	}
	if kb["SwapFree"] > kb["SwapTotal"] {
		v.fail("SwapFree is %d kB, SwapTotal %d", kb["SwapFree"], kb["SwapTotal"])
	}
	if swap := strings.Fields(strings.TrimPrefix(v.files["proc/swaps"], "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n")); len(swap) > 0 {
		if n, _ := strconv.ParseUint(swap[2], 10, 64); n != kb["SwapTotal"] {
			v.fail("swaps shows %d kB, meminfo %d", n, kb["SwapTotal"])
		}
	} else if kb["SwapTotal"] > 0 {
		v.fail("swaps shows none, meminfo %d kB", kb["SwapTotal"])
	}
}

// cpus compares the CPU sets of all files, and the sum of the lines with the aggregate.
func (v view) cpus() {
	v.w.t.Helper()
	online := strings.TrimSuffix(v.files["sys/devices/system/cpu/online"], "\n")
	sets := map[string]string{"present": strings.TrimSuffix(v.files["sys/devices/system/cpu/present"], "\n")}
	var info, stat []string
	for line := range strings.Lines(v.files["proc/cpuinfo"]) {
		if n, ok := strings.CutPrefix(line, "processor\t: "); ok {
			info = append(info, strings.TrimSpace(n))
		}
	}
	var sum, aggregate [10]uint64
	for line := range strings.Lines(v.files["proc/stat"]) {
		f := strings.Fields(line)
		n, ok := strings.CutPrefix(f[0], "cpu")
		if !ok {
			continue
		}
		for i := range sum {
			x, _ := strconv.ParseUint(f[i+1], 10, 64)
			if n == "" {
				aggregate[i] = x
			} else {
				sum[i] += x
			}
		}
		if n != "" {
			stat = append(stat, n)
		}
	}
	if sum != aggregate {
		v.fail("the sum of the cpuN lines is %v, the aggregate %v", sum, aggregate)
	}
	var listed []string
	pid, _ := v.w.k.PID(v.name)
	entries, err := v.w.core.List(core.Caller{PID: pid}, "sys/devices/system/cpu")
	if err != nil {
		v.w.t.Fatal(err)
	}
	for _, e := range entries {
		if e.CPU >= 0 {
			listed = append(listed, strconv.Itoa(e.CPU))
		}
	}
	slices.SortFunc(listed, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })
	for name, list := range map[string][]string{"cpuinfo": info, "stat": stat, "the listing": listed} {
		l, err := kernelfs.ParseCPUList(name, []byte(strings.Join(list, ",")), nil)
		if err != nil {
			v.fail("%s: %v", name, err)
		}
		sets[name] = l.String()
	}
	for name, set := range sets {
		if set != online || set == "" {
			v.fail("online is %q, %s shows %q", online, name, set)
		}
	}
}

// falls compares counters with those of the container's last look: lines that were there then, and the
// time, must not have fallen.
func (v view) falls() {
	v.w.t.Helper()
	now := map[string][]uint64{}
	for line := range strings.Lines(v.files["proc/stat"]) {
		if f := strings.Fields(line); strings.HasPrefix(f[0], "cpu") {
			now[f[0]] = numbers(f[1:])
		}
	}
	now["uptime"] = numbers(strings.Fields(strings.ReplaceAll(v.files["proc/uptime"], ".", "")))
	for line := range strings.Lines(v.files["proc/diskstats"]) {
		f := strings.Fields(line)
		now[f[2]] = numbers(f[3:])
	}
	pid, _ := v.w.k.PID(v.name)
	if was, ok := v.w.seen[v.name]; ok && was.pid == pid {
		for key, n := range was.counters {
			for i := range min(len(n), len(now[key])) {
				if now[key][i] < n[i] {
					v.fail("%s fell from %v to %v", key, n, now[key])
				}
			}
		}
	}
	v.w.seen[v.name] = life{pid, now}
}

func numbers(f []string) []uint64 {
	var n []uint64
	for _, s := range f {
		x, _ := strconv.ParseUint(s, 10, 64)
		n = append(n, x)
	}
	return n
}

// compareLayouts: the three layouts agree where the kernel's accounting does.
func compareLayouts(t *testing.T, worlds []*world, files, verb []string) {
	t.Helper()
	for _, name := range containers {
		if slices.ContainsFunc(worlds, func(w *world) bool { return !w.alive(name) }) {
			continue
		}
		for _, file := range files {
			want := worlds[0].read(name, file)
			for _, w := range worlds[1:] {
				got := w.read(name, file)
				if file == "proc/uptime" {
					want, _, _ = strings.Cut(want, " ")
					got, _, _ = strings.Cut(got, " ")
				}
				if got != want {
					t.Fatalf("%s as %s after %v: legacy shows %q, %s %q", file, name, verb, want, w.layout, got)
				}
			}
		}
		var total []string
		for _, w := range worlds {
			line, _, _ := bytes.Cut([]byte(w.read(name, "proc/meminfo")), []byte("\n"))
			total = append(total, string(line))
		}
		if len(slices.Compact(total)) > 1 {
			t.Fatalf("meminfo as %s after %v: %q", name, verb, total)
		}
	}
}
