//go:build integration

package compare

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"lxcfs/scripts/testbed"
)

// run is what the comparison has seen so far.
type run struct {
	peer  string // major version
	host  map[string]string
	shown map[string]int // deviation: how often
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
		return diff <= 2048 // kB: the kernel's batches, and processes that come and go
	case d.name == "uptime up":
		return diff <= testbed.Patience(300*time.Millisecond).Seconds()
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

// classify names the deviation that a difference is, or "". It looks at the values too: a
// line that may differ must still hold what the deviation promises.
func (r *run) classify(d difference) string {
	total := number(d.all["meminfo MemTotal"])
	count := func(ids string) int { return len(strings.Fields(ids)) }
	ourIDs := d.all["stat ids"]
	switch d.name {
	case "cpuinfo ids", "stat ids", "online":
		if d.all["cpuinfo ids"] != ourIDs || len(expand(d.all["online"])) != count(ourIDs) {
			return ""
		}
		ourCount, theirCount := count(ourIDs), count(d.theirs)
		if d.name == "online" {
			theirCount = len(expand(d.theirs))
		}
		switch {
		case ourCount == theirCount:
			return "D1"
		case ourCount < theirCount && d.s.parent.CPUs > 0 && float64(ourCount) == math.Ceil(d.s.parent.CPUs):
			return "D12"
		case d.name == "stat ids" && d.s.own.CPUs > 0 && float64(ourCount) == math.Ceil(d.s.own.CPUs):
			return "D12"
		case ourCount < theirCount && d.s.parent.CPUSet != "":
			return "D11"
		}
	case "present", "offline", "possible", "directories":
		if strings.Join(expand(d.all["present"]), " ") == ourIDs && count(d.all["directories"]) == count(ourIDs) {
			return "D2"
		}
	case "stat cpu", "stat aggregate":
		if sums(d.all["stat cpu"]) == d.all["stat aggregate"] {
			return "D3"
		}
	case "uptime idle":
		// It has grown under every setting so far, so all CPUs bound it.
		if up := number(d.all["uptime up"]); number(d.ours) <= up*float64(runtime.NumCPU())+0.02 {
			return "D4"
		}
	case "stat procs_running", "stat procs_blocked":
		if number(d.ours) <= 8 {
			return "D5"
		}
	case "diskstats":
		return "D6"
	case "slabinfo":
		if d.ours == "2 lines" || d.ours == "1 lines" {
			return "D7"
		}
	case "pressure/cpu", "pressure/io", "pressure/memory":
		if d.ours == "present" {
			return "D8"
		}
	case "pressure/cpu total", "pressure/io total", "pressure/memory total":
		if d.theirs == "" || d.name == "pressure/io total" {
			return "D8"
		}
		return "moving"
	case "loadavg":
		if procs := strings.Fields(d.ours); len(procs) == 5 && len(procs[3]) <= 5 {
			return "D13"
		}
	case "size":
		if d.ours == "0\n" || d.ours == "0" {
			return "D14"
		}
	case "past":
		if d.ours == "0" {
			return "D14"
		}
	case "stat intr", "stat softirq":
		return "moving"
	case "swaps", "meminfo SwapTotal", "meminfo SwapFree":
		want := number(r.host["meminfo SwapTotal"])
		for _, l := range []testbed.Limits{d.s.own, d.s.parent} {
			if l.MemorySwap > 0 {
				want = min(want, float64(l.MemorySwap-l.Memory)/1024)
			}
		}
		if number(d.all["meminfo SwapTotal"]) == want && number(d.other["meminfo SwapTotal"]) == 0 {
			return "D15"
		}
	case "meminfo MemFree", "meminfo MemAvailable":
		switch {
		case number(d.ours) > total:
			return ""
		case d.s.parent.Memory > 0 && number(d.ours) < number(d.theirs):
			return "D10"
		}
	default:
		// A size that the cgroup accounts for us and the host's, or 0, for them.
		if strings.HasPrefix(d.name, "meminfo ") && number(d.ours) <= total {
			theirs := number(d.theirs)
			hostish := theirs == 0 || math.Abs(theirs-number(r.host[d.name])) <= 0.25*theirs+4096
			if hostish || theirs > total {
				return "D9"
			}
		}
	}
	return ""
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
