package integration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"lxcfs/scripts/testbed"
)

// setting is a container's limits and what must therefore be seen inside it.
type setting struct {
	name     string
	limits   testbed.Limits
	memory   int64 // kB
	swap     int64 // kB
	cpus     []int // visible, by their real ids
	possible int   // CPUs in cpu/possible: up to the highest of the effective cpuset
	box      *testbed.Container
}

// question is one number that a program shows.
type question struct {
	tool   string
	asks   string
	script string             // prints the number, inside the container
	want   func(*setting) any // int64, string or span
	// limit says why files laid over /proc and /sys cannot make the program show the
	// container's number. Such a question must be answered wrongly somewhere, or it is no
	// limit.
	limit string
	// where says whether the limit is one on this kernel; nil: on every one.
	where func() bool
	// reference says what the C LXCFS 5.0.3 does about it, if it does not do it right.
	reference string
}

// span is an inclusive range.
type span struct{ low, high float64 }

func memory(s *setting) any   { return s.memory }
func swap(s *setting) any     { return s.swap }
func visible(s *setting) any  { return int64(len(s.cpus)) }
func possible(s *setting) any { return int64(s.possible) }
func ids(s *setting) any      { return strings.Trim(fmt.Sprint(s.cpus), "[]") }

// age is the container's, in seconds; reading it takes a moment.
func age(s *setting) any {
	return span{time.Since(s.box.Answered).Seconds() - testbed.Patience(2*time.Second).Seconds(),
		time.Since(s.box.Asked).Seconds() + 1}
}

const (
	sysinfo   = "`sysinfo(2)`"
	getaffine = "`sched_getaffinity(2)`: a cpuset bounds it, a quota does not"
	startTime = "`/proc/PID/stat`, where start times count from the host's boot"
	javaCPUs  = "`sched_getaffinity(2)`; Java 17 finds the quota in the cgroup, but not where /proc/cgroups has v1's controllers alone (Linux 6.14)"
	sysBlock  = "`/sys/block/*/stat`, over which nothing is laid"
)

// joinLines makes "0 1" of the lines 0 and 1.
const joinLines = ` | tr '\n' ' ' | sed 's/ $//'`

var renumbered = "renumbers the visible CPUs from 0"

// questions are what the programs are asked in every container.
var questions = []question{
	{tool: "cat", asks: "/proc/meminfo MemTotal", script: `awk '/^MemTotal:/ {print $2}' /proc/meminfo`, want: memory},
	{tool: "cat", asks: "processor lines of /proc/cpuinfo", script: `awk '/^processor/ {print $3}' /proc/cpuinfo` + joinLines, want: ids, reference: renumbered},
	{tool: "cat", asks: "cpuN lines of /proc/stat", script: `sed -n 's/^cpu\([0-9][0-9]*\) .*/\1/p' /proc/stat` + joinLines, want: ids, reference: renumbered},
	{tool: "cat", asks: "cpuN directories", script: `cd /sys/devices/system/cpu && ls -d cpu[0-9]* | sed 's/cpu//' | sort -n` + joinLines, want: ids, reference: "lists the host's"},
	{tool: "free", asks: "memory", script: `free -k | awk '/^Mem:/ {print $2}'`, want: memory},
	{tool: "free", asks: "swap", script: `free -k | awk '/^Swap:/ {print $2}'`, want: swap},
	{tool: "top", asks: "memory", script: `top -bn1 | awk '/^MiB Mem/ {print int($4 * 1024)}'`, want: memory},
	{tool: "top", asks: "CPUs", script: `top -1 -w 200 -bn1 | grep -o '%Cpu[0-9]*' | sed 's/%Cpu//'` + joinLines, want: ids, reference: renumbered},
	{tool: "vmstat", asks: "memory", script: `vmstat -s | awk '/K total memory/ {print $1}'`, want: memory},
	{tool: "vmstat", asks: "swap", script: `vmstat -s | awk '/K total swap/ {print $1}'`, want: swap},
	{tool: "uptime", asks: "seconds up", script: `echo $(($(date +%s) - $(date -d "$(uptime -s)" +%s)))`, want: age},
	{tool: "ps", asks: "age of pid 1", script: `ps -o etimes= -p 1 | tr -d ' '`, want: age, limit: startTime},
	{tool: "htop", asks: "memory", script: htop(`sed -n 's,.*Mem\[.*/\([0-9]*\)M\].*,\1,p'`), want: func(s *setting) any { return s.memory / 1024 }},
	{tool: "htop", asks: "CPUs online", script: htop(`grep -v offline | grep -cE '^ *(CPU|[0-9]+)\['`), want: visible, reference: "draws one line per host CPU"},
	{tool: "lscpu", asks: "CPU(s)", script: `lscpu | awk '/^CPU\(s\):/ {print $2}'`, want: visible, reference: "shows the host's"},
	{tool: "lscpu", asks: "online CPUs", script: `lscpu -p=CPU | grep -v '^#'` + joinLines, want: ids, reference: renumbered},
	{tool: "mpstat", asks: "CPUs", script: `LC_ALL=C mpstat -P ALL | awk '$2 ~ /^[0-9]+$/ {print $2}'` + joinLines, want: ids, reference: renumbered},
	{tool: "mpstat", asks: "CPU count", script: `mpstat | sed -n 's/.*(\([0-9]*\) CPU).*/\1/p'`, want: visible, reference: "counts the host's directories"},
	{tool: "iostat", asks: "CPU count", script: `iostat | sed -n 's/.*(\([0-9]*\) CPU).*/\1/p'`, want: visible, reference: "counts the host's directories"},
	{tool: "iostat", asks: "bytes the disks have read", script: `iostat -dk | awk '/^[a-z]+ .*[0-9]$/ {n += $6} END {print n + 0}'`, want: func(*setting) any { return span{0, 128 << 10} }, limit: sysBlock},
	{tool: "sar", asks: "CPUs", script: `LC_ALL=C sar -P ALL 1 1 | awk '/^Average/ && $2 ~ /^[0-9]+$/ {print $2}'` + joinLines, want: ids, reference: renumbered},
	{tool: "sar", asks: "memory free", script: `LC_ALL=C sar -r 1 1 | awk '/^Average/ {print $2}'`, want: func(s *setting) any { return span{float64(s.memory) / 2, float64(s.memory)} }},
	{tool: "sar", asks: "tasks", script: `LC_ALL=C sar -q 1 1 | awk '/^Average/ {print $3}'`, want: func(*setting) any { return span{1, 40} }},
	{tool: "nproc", asks: "CPUs", script: `nproc`, want: visible, limit: getaffine},
	{tool: "nproc --all", asks: "CPUs", script: `nproc --all`, want: possible},
	{tool: "sysconf", asks: "_SC_NPROCESSORS_ONLN", script: `getconf _NPROCESSORS_ONLN`, want: visible},
	{tool: "sysconf", asks: "_SC_NPROCESSORS_CONF", script: `getconf _NPROCESSORS_CONF`, want: possible},
	{tool: "sysconf", asks: "_SC_PHYS_PAGES", script: `getconf _PHYS_PAGES`, want: pages, limit: sysinfo},
	{tool: "busybox free", asks: "memory", script: `busybox free | awk '/^Mem:/ {print $2}'`, want: memory, limit: sysinfo},
	{tool: "busybox uptime", asks: "minutes up", script: `busybox uptime | sed -n 's/.* up \([0-9]*\) min.*/\1/p'`, want: func(s *setting) any { return int64(time.Since(s.box.Asked).Minutes()) }, limit: sysinfo},
	{tool: "busybox nproc", asks: "CPUs", script: `busybox nproc`, want: visible, limit: getaffine},
	{tool: "busybox top", asks: "memory", script: `busybox top -bn1 | awk '/^Mem:/ {print $2 + $4}'`, want: memory},
	{tool: "node", asks: "os.cpus().length", script: node(`os.cpus().length`), want: visible},
	{tool: "node", asks: "os.totalmem()", script: node(`os.totalmem() / 1024`), want: memory},
	{tool: "node", asks: "os.uptime()", script: node(`os.uptime()`), want: age},
	{tool: "node", asks: "os.availableParallelism()", script: node(`os.availableParallelism ? os.availableParallelism() : os.cpus().length`), want: visible, limit: getaffine},
	{tool: "java", asks: "availableProcessors()", script: java(`sed -n 's/.*Effective CPU Count: //p'`), want: visible, limit: javaCPUs, where: memoryUnlisted},
	{tool: "java", asks: "memory limit", script: java(`sed -n 's/.*Memory Limit: \([0-9]*\).*M/\1/p'`), want: func(s *setting) any { return s.memory / 1024 }},
	{tool: "python3", asks: "os.cpu_count()", script: python(`os.cpu_count()`), want: visible},
	{tool: "python3", asks: `os.sysconf("SC_PHYS_PAGES")`, script: python(`os.sysconf("SC_PHYS_PAGES")`), want: pages, limit: sysinfo},
	{tool: "python3", asks: "os.sched_getaffinity(0)", script: python(`len(os.sched_getaffinity(0))`), want: visible, limit: getaffine},
}

// limited reports whether the question has a limit on this kernel.
func (q question) limited() bool { return q.limit != "" && (q.where == nil || q.where()) }

// memoryUnlisted reports whether /proc/cgroups has no memory controller although there is
// one: it is v1's file, and Linux 6.14 left those out of it that v1 cannot have.
func memoryUnlisted() bool {
	b, err := os.ReadFile("/proc/cgroups")
	return err == nil && !strings.Contains(string(b), "\nmemory\t")
}

// limits is README's table of the questions with a limit.
func limits() string {
	var b strings.Builder
	b.WriteString("| program | shows the host's | because of |\n|---|---|---|\n")
	for _, q := range questions {
		if q.limit != "" {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", q.tool, q.asks, q.limit)
		}
	}
	return b.String()
}

func pages(s *setting) any { return s.memory / 4 }

func node(expr string) string {
	return `node -e 'const os = require("os"); console.log(` + expr + `)'`
}

func python(expr string) string { return `/usr/bin/python3 -c 'import os; print(` + expr + `)'` }

// java is started once, for it takes ten seconds in a guest.
func java(filter string) string {
	return `[ -e /tmp/java ] || java -XshowSettings:system -version > /tmp/java 2>&1; cat /tmp/java | ` + filter
}

// htop draws on a terminal that tmux keeps; what it has drawn once it has found its
// memory is filtered.
func htop(filter string) string {
	return `[ -e /tmp/screen ] || {
export TERM=screen HOME=/tmp; t="tmux -f /dev/null -S /tmp/htop.$$"
$t new-session -d -x 120 -y 24 htop
i=0; until $t capture-pane -p | grep -q 'Mem\[.*\]' || [ $i -gt 200 ]; do sleep 0.05; i=$((i + 1)); done
$t capture-pane -p > /tmp/screen; $t kill-server
}
cat /tmp/screen | ` + filter
}

// judge says how an answer differs from what is wanted; an empty string says it does not.
func judge(got string, want any) string {
	switch want := want.(type) {
	case string:
		if got != want {
			return fmt.Sprintf("got %q, want %q", got, want)
		}
	case int64:
		if n, err := strconv.ParseFloat(got, 64); err != nil || int64(n) != want {
			return fmt.Sprintf("got %q, want %d", got, want)
		}
	case span:
		if n, err := strconv.ParseFloat(got, 64); err != nil || n < want.low || n > want.high {
			return fmt.Sprintf("got %q, want %.0f to %.0f", got, want.low, want.high)
		}
	}
	return ""
}
