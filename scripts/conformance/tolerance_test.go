//go:build integration

package conformance

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lxcfs/scripts/testbed"
)

// tolerance says how far a field may be from a real kernel's. A row matches whole names.
type tolerance struct {
	file, field string  // regular expressions
	abs         float64 // in the field's unit
	rel         float64 // of the larger one
	unit        string
	why         string
	cost        float64 // units in a second of CPU time that verbs took; 0 if that does not matter
}

const kB, MiB = 1, 1024

// tolerances are the table of fields compared; the first row that matches counts. A field without a row must be equal to the
// byte. hostOnly are not compared.
var tolerances = []tolerance{
	{"meminfo", "MemTotal|SwapTotal|HugePages_.*|Hugetlb", 0, 0, "kB", "limits", 0},
	{"meminfo", "MemFree|MemAvailable", 4 * MiB, 0, "kB", "the kernel charges page tables and per-CPU stocks, and reclaims in batches", 0},
	{"meminfo", "SwapFree", 4 * MiB, 0, "kB", "memory.reclaim takes what it finds", 0},
	{"meminfo", "SwapCached", 4 * MiB, 0, "kB", "pages stay in the swap cache until the slot is needed", 0},
	{"meminfo", "Active\\+Inactive", 4 * MiB, 0, "kB", "both below", 0},
	{"meminfo", "Cached|Active\\+Inactive\\(file\\)", 2*MiB + 512, 0, "kB", "read-ahead, and reclaim in batches", 0},
	{"meminfo", "AnonPages|Active\\+Inactive\\(anon\\)|Mapped|Dirty", 1 * MiB, 0, "kB", "stack and copied pages of the process; statistics are flushed every 2 s", 0},
	{"meminfo", "Shmem", 256 * kB, 0, "kB", "statistics are flushed every 2 s", 0},
	{"meminfo", "Slab|KReclaimable|SReclaimable|SUnreclaim|PageTables|Percpu|KernelStack|SecPageTables|VmallocUsed", 2 * MiB, 0, "kB", "the fake charges kernel memory only when told", 0},
	{"meminfo", ".*", 0, 0, "kB", "nothing else is charged", 0},
	{"stat", "cpu (user|system)", 10, 0.10, "ticks", "the kernel divides exact CPU time into user and system by sampling", 100},
	{"stat", "cpu used", 5, 0.10, "ticks", "scheduling", 100},
	{"stat", "cpu idle", 10, 0.10, "ticks", "a moment, times CPUs, and what was used", 100},
	{"stat", "cpu[0-9]+ used\\+idle", 5, 0.10, "ticks", "sampled times on v1; a process may move between CPUs", 0},
	{"uptime", "up", 0.3, 0, "s", "a process starts before its verb ends", 0},
	{"uptime", "idle", 0.5, 0.10, "s", "what was used, and as many CPUs times up", 1},
	{"loadavg", "1 min", 0.05, 0, "", "a thread may be seen asleep", 0},
	{"loadavg", "5 min|15 min", 0.02, 0, "", "a thread may be seen asleep", 0},
	{"diskstats", "zram0 sectors (read|written)", 8192, 0, "sectors", "memory.reclaim takes what it finds", 0},
	{"diskstats", "zram0 (reads|writes)", 1024, 0, "", "memory.reclaim takes what it finds", 0},
	{"diskstats", ".* sectors (read|written)", 128, 0, "sectors", "a journal's block", 0},
	{"diskstats", ".* (reads|writes)", 4, 0.1, "", "requests are split where an extent ends", 0},
	{"swaps", "used", 4 * MiB, 0, "kB", "memory.reclaim takes what it finds", 0},
}

// known are differences that are there for a reason: fields of a scenario, and why. They are reported, and fail nothing.
var known = []struct {
	scenario, file, field, why string
}{
	{
		"memory_limit_lowered", "proc/meminfo", `Cached|MemFree|MemAvailable|Active\+Inactive(\(file\))?`,
		"multi-generational LRU (CONFIG_LRU_GEN_ENABLED) reclaims up to half as much again as was asked for; the fake what was asked for",
	},
}

// isKnown returns why a difference is known, or "".
func isKnown(scenario, file, field string) string {
	for _, k := range known {
		if regexp.MustCompile(`/(`+k.scenario+`)$`).MatchString(scenario) &&
			regexp.MustCompile(`^(`+k.file+`)$`).MatchString(file) && regexp.MustCompile(`^(`+k.field+`)$`).MatchString(field) {
			return k.why
		}
	}
	return ""
}

// fields takes an answer apart into names and values: what of it depends on the container. Lines of the host's are left out.
func fields(a answer) map[string]string {
	f := map[string]string{}
	switch path := strings.TrimPrefix(a.file, "proc/"); {
	case a.err != nil:
		f["error"] = a.err.Error()
	case path == "meminfo":
		meminfoFields(f, a.text)
	case path == "stat":
		statFields(f, a.text)
	case path == "uptime":
		words := strings.Fields(a.text)
		f["up"], f["idle"] = words[0], words[1]
	case path == "loadavg":
		words := strings.Fields(a.text)
		f["1 min"], f["5 min"], f["15 min"], f["running/all"] = words[0], words[1], words[2], words[3]
	case path == "cpuinfo":
		f["processors"] = strings.Join(matches(a.text, `(?m)^processor\s*:\s*(\d+)$`), " ")
	case path == "diskstats":
		diskFields(f, a.text)
	case path == "swaps":
		swapFields(f, a.text)
	case path == "slabinfo":
		f["header"] = strings.Join(matches(a.text, `(?m)^(slabinfo.*|#.*)$`), "\n")
	case strings.HasPrefix(path, "pressure/"):
		f["shape"] = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`).ReplaceAllString(a.text, "N")
	case strings.HasSuffix(path, "/"):
		cpus := matches(a.text, `(?m)^(cpu\d+)$`)
		slices.Sort(cpus) // a directory has no order
		f["CPUs"] = strings.Join(cpus, " ")
	default:
		f["list"] = strings.TrimSpace(a.text)
	}
	return f
}

func matches(text, pattern string) []string {
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// hostOnly are lines of meminfo that no cgroup accounts.
var hostOnly = regexp.MustCompile(`^(Buffers|Mlocked|NFS_Unstable|Bounce|WritebackTmp|CommitLimit|Committed_AS|VmallocTotal|VmallocChunk|HardwareCorrupted|Unaccepted|Balloon|Cma.*|Hugepagesize|DirectMap.*|GPU.*)$`)

// meminfoFields adds up active and inactive pages: new pages begin in either list, as the kernel was built (MGLRU) and reclaim
// has aged them.
func meminfoFields(f map[string]string, text string) {
	sums := map[string]int64{}
	for line := range strings.Lines(text) {
		label, rest, _ := strings.Cut(line, ":")
		value := strings.Fields(rest)[0]
		part, active := strings.CutPrefix(label, "Active")
		if !active {
			part, active = strings.CutPrefix(label, "Inactive")
		}
		if active {
			n, _ := strconv.ParseInt(value, 10, 64)
			sums["Active+Inactive"+part] += n
			continue
		}
		if !hostOnly.MatchString(label) {
			f[label] = value
		}
	}
	for label, n := range sums {
		f[label] = strconv.FormatInt(n, 10)
	}
}

func statFields(f map[string]string, text string) {
	var cpus, labels []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		var n []int64
		for _, w := range words[1:min(len(words), 5)] {
			v, _ := strconv.ParseInt(w, 10, 64)
			n = append(n, v)
		}
		switch name := words[0]; {
		case name == "cpu":
			f["cpu user"], f["cpu system"] = itoa(n[0]+n[1]), itoa(n[2])
			f["cpu used"], f["cpu idle"] = itoa(n[0]+n[1]+n[2]), itoa(n[3])
			f["cpu others"] = strings.Join(words[5:], " ")
		case strings.HasPrefix(name, "cpu"):
			cpus = append(cpus, name)
			f[name+" used+idle"] = itoa(n[0] + n[1] + n[2] + n[3])
		case strings.HasPrefix(name, "procs_"):
			f[name] = words[1]
		default:
			labels = append(labels, name)
		}
	}
	f["CPUs"], f["labels"] = strings.Join(cpus, " "), strings.Join(labels, " ")
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func diskFields(f map[string]string, text string) {
	var names []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		name := words[2]
		names = append(names, name)
		f[name+" columns"] = strconv.Itoa(len(words))
		f[name+" reads"], f[name+" sectors read"] = words[3], words[5]
		f[name+" writes"], f[name+" sectors written"] = words[7], words[9]
	}
	f["disks"] = strings.Join(names, " ")
}

func swapFields(f map[string]string, text string) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	f["header"], f["lines"] = lines[0], strconv.Itoa(len(lines))
	for _, l := range lines[1:] {
		words := strings.Fields(l)
		f["name"], f["size"], f["used"], f["priority"] = words[0]+" "+words[1], words[2], words[3], words[4]
	}
}

// tolerate finds the row of a field; nil means that it must be equal.
func tolerate(file, field string) *tolerance {
	file = file[strings.LastIndexByte(strings.TrimSuffix(file, "/"), '/')+1:]
	for i := range tolerances {
		t := &tolerances[i]
		if file == t.file && regexp.MustCompile(`^(`+t.field+`)$`).MatchString(field) {
			return t
		}
	}
	return nil
}

// within reports whether the fake's value is near enough the real one's, and how far it is off. Where memory is allocated by
// touching it that takes CPU time, seconds of it in an emulated guest, which the fake's charge does not: so much more is allowed.
func (t *tolerance) within(fake, kernel string, cost time.Duration) (off float64, ok bool) {
	a, err1 := strconv.ParseFloat(fake, 64)
	b, err2 := strconv.ParseFloat(kernel, 64)
	if err1 != nil || err2 != nil {
		return math.Inf(1), fake == kernel
	}
	off = max(0, math.Abs(a-b)-t.cost*cost.Seconds())
	return off, off <= t.slack()*(t.abs+t.rel*max(a, b))
}

// slack is how much more is allowed in an emulated guest, where interrupts and the test's own steps take a tenth of the CPU time
// and more. It is for times alone.
func (t *tolerance) slack() float64 {
	if testbed.Guest() && (t.file == "stat" || t.file == "uptime") {
		return 4
	}
	return 1
}

func (t *tolerance) String() string {
	if t == nil || t.abs == 0 && t.rel == 0 {
		return "equal"
	}
	s := strings.TrimSpace(fmt.Sprintf("%g %s", t.slack()*t.abs, t.unit))
	if t.rel > 0 {
		s += fmt.Sprintf(" + %g %%", t.slack()*100*t.rel)
	}
	return s
}
