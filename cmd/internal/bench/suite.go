package bench

import (
	"fmt"
	"path"
	"time"
)

// Row is one way of reading, measured on every server.
type Row struct {
	Name       string        `json:"name"`
	Files      []string      `json:"files"`
	Form       Form          `json:"form"`
	Readers    int           `json:"readers"` // requests in flight; with 0 nobody reads
	Containers int           `json:"containers"`
	Crew       int           `json:"crew,omitempty"` // processes in each container, if more than it takes
	Depth      int           `json:"depth"`          // of its cgroup
	Place      Placement     `json:"placement"`
	PerSecond  float64       `json:"per_second,omitempty"` // operations of each request in flight; 0: as fast as it can
	Once       bool          `json:"once,omitempty"`       // each container reads once in a round; never seen before, if not Idle
	Idle       time.Duration `json:"idle,omitempty"`       // nobody reads for so long before each pass over the servers
	Round      time.Duration `json:"round,omitempty"`      // if not the command's
	Count      int           `json:"count,omitempty"`      // operations in a round, whatever time they take
	Rounds     int           `json:"rounds,omitempty"`     // if not the command's
	Averages   bool          `json:"averages,omitempty"`   // servers run with -l
	Fresh      bool          `json:"fresh,omitempty"`      // servers are started anew
	Hogs       bool          `json:"hogs,omitempty"`       // a busy loop on each CPU
	Abuse      Abuse         `json:"abuse,omitempty"`      // what another container does meanwhile
	Apart      bool          `json:"apart,omitempty"`      // ... to the null server instead
	Goals      []Goal        `json:"-"`
}

// Suite is rows that answer one question.
type Suite struct {
	Name, Question string
	Rows           []Row
}

const (
	meminfo   = "/proc/meminfo"
	cpuOnline = "/sys/devices/system/cpu/online"
)

// allFiles are read in turn where a row mixes them.
var allFiles = []string{
	meminfo, "/proc/stat", "/proc/cpuinfo", "/proc/uptime",
	"/proc/loadavg", "/proc/diskstats", "/proc/swaps", cpuOnline,
}

// Suites lists every suite. The goals are ratios to LXCFS in the same run, and for the
// floor to the null server.
func Suites() []Suite {
	return []Suite{
		{"cost", "What does one read cost, on one CPU?", costRows()},
		{"depth", "What does each level of cgroups above the container cost?", depthRows()},
		{"forms", "And when a program reads in another way?", formRows()},
		{"free", "How many reads can be done, by many readers in many containers?", freeRows()},
		{"hogs", "What is left while every CPU is busy?", []Row{{
			Name: "hogs", Files: []string{meminfo}, Readers: 1, Containers: 1, Depth: 2, Place: Free, Hogs: true,
			Goals: []Goal{gain(Rate, Peer, 1)},
		}}},
		{"cold", "What does the first read of a container cost, or the first after a pause?", coldRows()},
		{"sparse", "What does a read cost that comes alone, 5 in a second?", []Row{{
			Name: "sparse", Files: []string{meminfo}, Readers: 1, Containers: 1, Depth: 2, Place: Free,
			PerSecond: 5, Round: 3 * time.Second, Rounds: 6,
			Goals: []Goal{ratio(CPU, Peer, .45), ratio(P50, Peer, .6)},
		}}},
		{"idle", "What does a server cost that nobody asks?", []Row{{
			Name: "idle", Containers: 1, Depth: 2, Place: Free, Round: 5 * time.Second, Rounds: 3, Fresh: true,
			Goals: []Goal{atMost(Load, 0)},
		}}},
		{"rss", "How large does a server grow?", rssRows()},
		{"load", "What do load averages cost?", []Row{{
			Name: "1000 x 10", Files: []string{"/proc/loadavg"}, Readers: 1, Containers: 1000, Crew: 10, Depth: 2,
			// Few reads: after the first one a container's averages are kept for a while.
			Place: Free, PerSecond: 5, Round: 10 * time.Second, Rounds: 2, Averages: true, Fresh: true,
			Goals: []Goal{gain(Load, Peer, 4)},
		}}},
		{"fair", "What can one container do to another?", fairRows()},
		{"soak", "Does anything grow?", soakRows()},
	}
}

func costRows() []Row {
	targets := []struct {
		file     string
		p50, cpu float64
		more     []Goal
	}{
		{meminfo, 4, 5, []Goal{ratio(P50, Null, 1.6)}},
		{"/proc/stat", 2.5, 3, nil},
		{"/proc/cpuinfo", 3.5, 5, nil},
		{"/proc/swaps", 3, 3.3, nil},
		{"/proc/uptime", 2.2, 3, nil},
		{cpuOnline, 2.2, 3, nil},
		{"/proc/diskstats", 1.8, 2.3, nil},
	}
	var rows []Row
	for _, t := range targets {
		goals := append([]Goal{gain(P50, Peer, t.p50), gain(CPU, Peer, t.cpu)}, t.more...)
		rows = append(rows, one(path.Base(t.file), t.file, goals...))
	}
	// Without averages of its own a server passes the host's loadavg through: one read
	// of one kernel file, next to nothing above the floor.
	host := one("loadavg, the host's", "/proc/loadavg", ratio(P50, Null, 1.3))
	own := one("loadavg", "/proc/loadavg", gain(P50, Peer, 2), gain(CPU, Peer, 3))
	own.Averages = true
	return append(rows, host, own)
}

// one is a row of one container that reads one file, on one CPU with the server.
func one(name, file string, goals ...Goal) Row {
	return Row{Name: name, Files: []string{file}, Readers: 1, Containers: 1, Depth: 2, Place: Pinned, Goals: goals}
}

func depthRows() []Row {
	two := one("depth 2", meminfo)
	four := one("depth 4", meminfo, gain(P50, Peer, 5), gain(CPU, Peer, 6.5))
	six := one("depth 6", meminfo, toRow(P50, "depth 2", 1.2))
	four.Depth, six.Depth = 4, 6
	return []Row{two, four, six}
}

func formRows() []Row {
	var rows []Row
	for _, f := range []Form{ORC, ReadAll, Cat, Pread, Open} {
		row := one(f.String(), meminfo, gain(P50, Peer, 1), gain(CPU, Peer, 1))
		row.Form = f
		rows = append(rows, row)
	}
	return rows
}

func freeRows() []Row {
	var rows []Row
	for _, containers := range []int{1, 100, 1000} {
		for _, readers := range []int{1, 8, 64} {
			row := Row{
				Name:  fmt.Sprintf("%d x %d", containers, readers),
				Files: allFiles, Readers: readers, Containers: containers, Depth: 2, Place: Free,
			}
			if readers > 1 {
				row.Goals = []Goal{gain(Rate, Peer, 2.5), gain(P99, Peer, 1), atMost(Errors, 0)}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func coldRows() []Row {
	first := Row{
		Name: "never seen", Files: []string{meminfo}, Readers: 1, Containers: 500, Depth: 2, Place: Free,
		Once: true, Rounds: 1, Fresh: true,
		Goals: []Goal{gain(P50, Peer, 5), gain(CPU, Peer, 10), atMost(Forks, 0), atMost(Max, 10_000)},
	}
	idle := first
	idle.Name, idle.Idle, idle.Rounds = "after 13 s", 13*time.Second, 2
	return []Row{first, idle}
}

func rssRows() []Row {
	var rows []Row
	for _, t := range []struct {
		containers int
		goals      []Goal
	}{
		{100, []Goal{atMost(RSS, 20), atMost(Errors, 0)}},
		{1000, []Goal{atMost(RSS, 32), atMost(Errors, 0)}},
		{5000, []Goal{atMost(Errors, 0)}},
	} {
		rows = append(rows, Row{
			Name: fmt.Sprint(t.containers), Files: allFiles, Readers: 8, Containers: t.containers, Depth: 2, Place: Free,
			Round: 5 * time.Second, Rounds: 2, Fresh: true, Goals: t.goals,
		})
	}
	return rows
}

func fairRows() []Row {
	rows := []Row{{Name: "calm"}}
	for _, a := range []Abuse{Hammer, Bytes, Left, Freeze, Churn} {
		// Abusers compete for the CPUs too, which no server can help. So each is seen beside another server's first.
		apart := string(a) + ", another server"
		undisturbed := toRow(P99, "calm", 3)
		undisturbed.Floor = apart
		rows = append(rows, Row{Name: apart, Abuse: a, Apart: true}, Row{
			Name: string(a), Abuse: a,
			Goals: []Goal{undisturbed, atMost(RSS, 64), atMost(Errors, 0)},
		})
	}
	for i := range rows {
		r := &rows[i]
		r.Files, r.Readers, r.Containers, r.Depth, r.Place = allFiles, 1, 1, 2, Free
		r.Round, r.Rounds, r.Fresh = 2*time.Second, 4, true
		if r.Abuse == Left {
			r.Rounds = 2 // each opens 200,000 files first
		}
	}
	return rows
}

func soakRows() []Row {
	flat := []Goal{atMost(Errors, 0), atMost(RSSGrowth, 2), atMost(FDGrowth, 8), atMost(ThreadGrowth, 2)}
	row := Row{
		Files: allFiles, Readers: 8, Containers: 100, Depth: 2, Place: Free,
		Round: 20 * time.Second, Rounds: 4, Fresh: true, Goals: flat,
	}
	reads, churn := row, row
	reads.Name, churn.Name, churn.Abuse = "reads", "containers come and go", Churn
	return []Row{reads, churn}
}
