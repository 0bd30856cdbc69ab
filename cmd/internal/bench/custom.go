package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// custom is the row that flags describe, for a question no suite asks.
type custom struct {
	files, form, place          string
	readers, containers, depth  int
	perSecond                   float64
	cold, hogs, averages, fresh bool
	abuse                       string
}

// customFlags are the names of the flags that make a row.
var customFlags = []string{
	"files", "form", "place", "readers", "containers", "depth", "per-second", "cold", "hogs", "averages", "fresh", "abuse",
}

func (c *custom) flags(f *pflag.FlagSet) {
	f.StringVar(&c.files, "files", meminfo, `a row of one's own: files read in turn, "/proc/stat,/proc/uptime", or "all"`)
	f.StringVar(&c.form, "form", ORC.String(), "... the way they are read: "+strings.Join(formNames[:Byte+1], ", "))
	f.StringVar(&c.place, "place", string(Pinned), "... where server and readers run: pinned, cross, free")
	f.IntVar(&c.readers, "readers", 1, "... requests in flight")
	f.IntVar(&c.containers, "containers", 1, "... containers they come from")
	f.IntVar(&c.depth, "depth", 2, "... depth of their cgroups; 0: none of their own")
	f.Float64Var(&c.perSecond, "per-second", 0, "... operations per second of each reader; 0: as many as it can")
	f.BoolVar(&c.cold, "cold", false, "... each container reads once in a round, 13 s after it last read")
	f.BoolVar(&c.hogs, "hogs", false, "... with a busy loop on each CPU")
	f.BoolVar(&c.averages, "averages", false, "... of servers started with -l")
	f.BoolVar(&c.fresh, "fresh", false, "... of servers that served nobody before")
	f.StringVar(&c.abuse, "abuse", "", "... while another container does this: hammer, bytes, left, freeze, churn")
}

// suite makes a suite of the one row.
func (c *custom) suite() (Suite, error) {
	row := Row{
		Name: "custom", Files: strings.Split(c.files, ","), Place: Placement(c.place),
		Readers: c.readers, Containers: c.containers, Depth: c.depth, PerSecond: c.perSecond,
		Averages: c.averages, Fresh: c.fresh, Hogs: c.hogs, Abuse: Abuse(c.abuse),
	}
	if c.files == "all" {
		row.Files = allFiles
	}
	if c.cold {
		row.Once, row.Idle = true, 13*time.Second
	}
	if err := row.Form.UnmarshalText([]byte(c.form)); err != nil {
		return Suite{}, err
	}
	switch {
	case row.Form > Byte:
		return Suite{}, fmt.Errorf("form %s is for abuse only", row.Form)
	case !slices.Contains([]Placement{Pinned, Cross, Free}, row.Place):
		return Suite{}, fmt.Errorf("placement %q: not pinned, cross or free", row.Place)
	case !slices.Contains([]Abuse{"", Hammer, Bytes, Left, Freeze, Churn}, row.Abuse):
		return Suite{}, fmt.Errorf("abuse %q: there is none of this name", row.Abuse)
	case row.Readers < 0 || row.Readers > maxLanes/2 || row.Containers < 1 || row.Depth < 0 || row.Depth == 1 || row.PerSecond < 0:
		return Suite{}, fmt.Errorf("readers are 0 to %d, containers 1 or more, depth 0, 2 or more", maxLanes/2)
	case len(row.Files) > maxFiles:
		return Suite{}, fmt.Errorf("%d files: at most %d", len(row.Files), maxFiles)
	case row.Form == Pread && row.Containers > row.Readers:
		return Suite{}, errors.New("with more containers than readers no descriptor is kept open: pread measures nothing")
	}
	return Suite{Name: "custom", Question: "What do the flags describe?", Rows: []Row{row}}, nil
}
