package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func TestCustomRow(t *testing.T) {
	parse := func(line string) (Suite, error) {
		var c custom
		f := pflag.NewFlagSet("bench", pflag.ContinueOnError)
		c.flags(f)
		for _, name := range customFlags {
			if f.Lookup(name) == nil {
				t.Errorf("no flag --%s", name)
			}
		}
		if err := f.Parse(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		return c.suite()
	}
	got, err := parse("--files /proc/stat,/proc/uptime --form cat --place cross --readers 8 --containers 50 --depth 4 --cold")
	if err != nil {
		t.Fatal(err)
	}
	want := []Row{{
		Name: "custom", Files: []string{"/proc/stat", "/proc/uptime"}, Form: Cat, Readers: 8, Containers: 50, Depth: 4,
		Place: Cross, Once: true, Idle: 13 * time.Second,
	}}
	if diff := cmp.Diff(want, got.Rows); diff != "" {
		t.Errorf("row of the flags (-want +got):\n%s", diff)
	}
	for _, bad := range []string{
		"--form spin", "--form nosuch", "--place here", "--abuse nosuch", "--readers 129", "--containers 0", "--depth 1",
		"--form pread --containers 2", "--files " + strings.Repeat("/a,", maxFiles) + "/b",
	} {
		if s, err := parse(bad); err == nil {
			t.Errorf("%s: %+v, want an error", bad, s)
		}
	}
}

func TestPlacement(t *testing.T) {
	for p, want := range map[Placement][2]int{Pinned: {3, 3}, Cross: {3, 0}, Free: {anyCPU, anyCPU}} {
		if server, reader := p.cpu(4); server != want[0] || reader != want[1] {
			t.Errorf("%s of 4 CPUs: %d, %d, want %v", p, server, reader, want)
		}
	}
}
