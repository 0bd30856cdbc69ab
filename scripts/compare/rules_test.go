//go:build integration

package compare

import (
	"fmt"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"lxcfs/scripts/testbed"
)

// run is what the comparison has seen so far.
type run struct {
	peer  string            // major version
	host  map[string]string // the kernel's meminfo, read between the two
	shown map[string]int    // deviation: how often
}

// difference is one value that is not the same in both.
type difference struct {
	s            setting
	name         string
	ours, theirs string
	all, other   map[string]string // every value of ours, and of theirs
}

func (d difference) String() string {
	return fmt.Sprintf("%s: ours %.60q, theirs %.60q", d.name, d.ours, d.theirs)
}

// unintended returns the differences no rule explains, and counts the others.
func (r *run) unintended(s setting, ours, theirs map[string]string) []difference {
	names := map[string]bool{}
	for n := range ours {
		names[n] = true
	}
	for n := range theirs {
		names[n] = true
	}
	var left []difference
	for n := range names {
		d := difference{s, n, ours[n], theirs[n], ours, theirs}
		if same(d) {
			continue
		}
		if id := r.classify(d); id != "" {
			r.shown[id]++
		} else {
			left = append(left, d)
		}
	}
	slices.SortFunc(left, func(a, b difference) int { return strings.Compare(a.name, b.name) })
	return left
}

// batches is how far two readings of a cgroup's memory may be apart, in kB: the kernel
// accounts in batches of 64 pages for each CPU and counter, and the reader's own pages come
// and go.
var batches = float64(2 * 64 * 4 * runtime.NumCPU())

// same reports whether two values are equal, or as close as two readings of a moving
// number are.
func same(d difference) bool {
	if d.ours == d.theirs {
		return true
	}
	a, errA := strconv.ParseFloat(d.ours, 64)
	b, errB := strconv.ParseFloat(d.theirs, 64)
	if errA != nil || errB != nil {
		return false
	}
	diff := math.Abs(a - b)
	switch {
	case strings.HasPrefix(d.name, "meminfo "):
		return diff <= batches
	case d.name == "uptime up": // ours is read first
		return b >= a-0.01 && diff <= testbed.Patience(300*time.Millisecond).Seconds()
	case d.name == "stat ctxt", d.name == "stat processes":
		return b >= a && diff <= 1000+a/100 // the host's in both, read one after the other
	}
	return false
}

func number(s string) float64 {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// Lines of meminfo that LXCFS shows as 0 on v2 or both, and those it leaves to the host.
var (
	zeroes = strings.Fields("Mapped Dirty Writeback AnonHugePages SwapCached ShmemHugePages ShmemPmdMapped")
	hosts  = strings.Fields(`Mlocked KReclaimable KernelStack PageTables SecPageTables NFS_Unstable Bounce WritebackTmp
		CommitLimit Committed_AS VmallocTotal VmallocUsed VmallocChunk Percpu HardwareCorrupted FileHugePages FilePmdMapped
		Unaccepted Balloon CmaTotal CmaFree HugePages_Total HugePages_Free HugePages_Rsvd HugePages_Surp Hugetlb
		DirectMap4k DirectMap2M DirectMap1G`)
)

// classify names the deviation that a difference is, or "". It looks at the values too: a
// line that may differ must still hold what the deviation promises.
func (r *run) classify(d difference) string {
	if field, ok := strings.CutPrefix(d.name, "meminfo "); ok {
		return r.meminfo(d, field)
	}
	if strings.HasPrefix(d.name, "root/meminfo ") {
		return r.rootMeminfo(d)
	}
	if id, ok := fixed[d.name]; ok {
		if d.ours == id.ours && slices.Contains(strings.Split(id.theirs, "|"), d.theirs) {
			return id.id
		}
		return ""
	}
	count := func(ids string) int { return len(strings.Fields(ids)) }
	ourIDs := d.all["stat ids"]
	switch d.name {
	case "cpuinfo ids", "stat ids", "online":
		return r.cpus(d)
	case "present", "offline", "possible", "directories":
		if strings.Join(expand(d.all["present"]), " ") == ourIDs && count(d.all["directories"]) == count(ourIDs) {
			return "D2"
		}
	case "stat cpu", "stat aggregate":
		if sums(d.all["stat cpu"]) == d.all["stat aggregate"] {
			return "D5"
		}
	case "uptime idle":
		// It has grown under every setting so far, so all CPUs bound it.
		if up := number(d.all["uptime up"]); number(d.ours) <= up*float64(runtime.NumCPU())+0.02 {
			return "D6"
		}
	case "stat procs_running", "stat procs_blocked":
		if number(d.ours) <= 8 {
			return "D7"
		}
	case "diskstats":
		if lines(d.ours) < lines(d.theirs) {
			return "D8"
		}
	case "slabinfo":
		if lines(d.ours) <= 2 {
			return "D11"
		}
	case "pressure/cpu", "pressure/io", "pressure/memory":
		if d.ours == "present" {
			return "D9"
		}
	case "pressure/cpu total", "pressure/io total", "pressure/memory total":
		if d.theirs == "" || d.name == "pressure/io total" {
			return "D9"
		}
		return growing(d)
	case "loadavg":
		if procs := strings.Fields(d.ours); len(procs) == 5 && len(procs[3]) <= 5 {
			return "D15"
		}
	case "size":
		if d.ours == "0" {
			return "D16"
		}
	case "stat intr", "stat softirq":
		return growing(d)
	case "swaps":
		if r.swap(d) {
			return "D14"
		}
	}
	return ""
}

// fixed are the differences whose answers do not vary; theirs are separated by "|".
var fixed = map[string]struct{ id, ours, theirs string }{
	"past":              {"D16", "0", "1"},
	"again":             {"D16", "False", "True"},
	"mode":              {"D17", "400", "444"},
	"write":             {"D17", "Read-only", "I/O error"},
	"trigger":           {"D10", "True", "Invalid argument"},
	"blank":             {"D18", "positive", "negative"},
	"listing while off": {"D20", "works", "fails"},
	"root":              {"D21", "proc sys", "cgroup proc sys"},
}

// cpus is the deviation of a list of visible CPUs.
func (r *run) cpus(d difference) string {
	ours, theirs := strings.Fields(d.all["stat ids"]), strings.Fields(d.theirs)
	if d.name == "online" {
		theirs = expand(d.theirs)
	}
	if d.all["cpuinfo ids"] != d.all["stat ids"] || !slices.Equal(expand(d.all["online"]), ours) {
		return ""
	}
	quota := func(l testbed.Limits) bool { return l.CPUs > 0 && len(ours) == int(math.Ceil(l.CPUs)) }
	switch {
	case len(ours) == len(theirs):
		return "D1"
	case len(ours) > len(theirs):
		return ""
	case quota(d.s.parent), d.name == "stat ids" && quota(d.s.own):
		return "D4"
	case d.s.parent.CPUSet != "":
		return "D3"
	}
	return ""
}

// meminfo is the deviation of a line of meminfo. MemTotal has none.
func (r *run) meminfo(d difference, field string) string {
	total, ours, theirs, host := number(d.all["meminfo MemTotal"]), number(d.ours), number(d.theirs), number(r.host[d.name])
	near := math.Abs(theirs-host) <= 1024+0.05*host
	switch {
	case field == "SwapTotal" || field == "SwapFree":
		if r.swap(d) {
			return "D14"
		}
	case ours > total:
	case field == "MemFree" || field == "MemAvailable":
		tmpfs := field == "MemAvailable" && r.peer == "5" && math.Abs(theirs-ours-number(d.all["meminfo Shmem"])) <= batches
		if d.s.parent.Memory > 0 && ours < theirs || tmpfs {
			return "D13"
		}
	case slices.Contains(zeroes, field):
		if theirs == 0 || near {
			return "D12"
		}
	case slices.Contains(hosts, field):
		if near || theirs > total { // Committed_AS moves while we look
			return "D12"
		}
	}
	return ""
}

// rootMeminfo is that of a line as a host's process sees it, in the root cgroup.
func (r *run) rootMeminfo(d difference) string {
	if math.Abs(number(d.ours)-number(r.host[d.name])) <= 8<<10 {
		return "D19"
	}
	return ""
}

// swap reports whether we show the swap that the limits allow and they none.
func (r *run) swap(d difference) bool {
	want := number(r.host["meminfo SwapTotal"])
	for _, l := range []testbed.Limits{d.s.own, d.s.parent} {
		if l.MemorySwap > 0 {
			want = min(want, float64(l.MemorySwap-l.Memory)/1024)
		}
	}
	return number(d.all["meminfo SwapTotal"]) == want && number(d.other["meminfo SwapTotal"]) == 0
}

// growing accepts counters that both have from the kernel, ours read first.
func growing(d difference) string {
	digits := regexp.MustCompile(`\d+`)
	ours, theirs := digits.FindAllString(d.ours, -1), digits.FindAllString(d.theirs, -1)
	if len(ours) != len(theirs) {
		return ""
	}
	for i := range ours {
		if number(theirs[i]) < number(ours[i]) {
			return ""
		}
	}
	return "growing"
}

// lines is the number that a cell of a list holds.
func lines(cell string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(cell, " lines"))
	if err != nil {
		return math.MaxInt
	}
	return n
}

// expand makes "0 1 3" of "0-1,3", as a slice.
func expand(list string) []string {
	var ids []string
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil {
			continue
		}
		for n := first; n <= last; n++ {
			ids = append(ids, strconv.Itoa(n))
		}
	}
	return ids
}

// sums adds "1 2;3 4;" column by column: "4 6".
func sums(lines string) string {
	var total []int64
	for line := range strings.SplitSeq(strings.TrimSuffix(lines, ";"), ";") {
		for i, f := range strings.Fields(line) {
			n, _ := strconv.ParseInt(f, 10, 64)
			if i == len(total) {
				total = append(total, 0)
			}
			total[i] += n
		}
	}
	return strings.Trim(fmt.Sprint(total), "[]")
}
