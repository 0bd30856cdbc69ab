package archive_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lxcfs/cmd/internal/archive"
	"lxcfs/cmd/internal/flags"
	"lxcfs/core"
	"lxcfs/kernelfs"
)

var update = flag.Bool("update", false, "write the answers into testdata/hosts (make golden)")

const hosts = "../../../testdata/hosts"

// maxSize is what a reader can still be expected to look through, and a repository to carry.
const maxSize = 200 << 10

// TestHosts asks every host of the corpus and compares the answers with those in its archive.
func TestHosts(t *testing.T) {
	names, err := filepath.Glob(hosts + "/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := archive.Parse(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if isMachine := slices.ContainsFunc(a.Host, func(e archive.Entry) bool { return e.Path == "boot" }); isMachine && a.Caller == 0 {
			continue // for scenarios, which ask it themselves
		}
		asked++
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { testHost(t, name, data, a) })
	}
	if asked < 20 {
		t.Errorf("%s: %d hosts with a caller, want at least 20: where is the corpus?", hosts, asked)
	}
}

func testHost(t *testing.T, name string, data []byte, a *archive.Archive) {
	if len(data) > maxSize {
		t.Errorf("%d bytes, want at most %d", len(data), maxSize)
	}
	if strings.TrimSpace(a.Comment) == "" {
		t.Error("no comment: say what this host is and why it is kept")
	}
	if a.Caller == 0 {
		t.Fatal(`no "caller:" line: say which process asks`)
	}
	o, err := flags.Parse(a.Flags)
	if err != nil {
		t.Fatalf("flags: %v", err)
	}
	got, err := a.Ask(o)
	if err != nil {
		t.Fatal(err)
	}
	if !*update {
		if diff := cmp.Diff(lines(a.Want), lines(got)); diff != "" {
			t.Errorf("answers (-want +got); if the new answers are right, make golden writes them:\n%s", diff)
		}
		inAnyOrder(t, a, o, got)
		return
	}
	a.Want = got
	if out := a.Bytes(); !bytes.Equal(out, data) {
		if err := os.WriteFile(name, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// lines are answers by name, each line by itself, so that a difference shows as one.
func lines(list []archive.Entry) map[string][]string {
	m := map[string][]string{}
	for _, e := range list {
		m[e.Name()] = strings.Split(string(e.Text), "\n")
	}
	return m
}

// inAnyOrder asks for the files from the last to the first: what a file says must not depend on which
// was read before it.
func inAnyOrder(t *testing.T, a *archive.Archive, o core.Options, want []archive.Entry) {
	k, err := a.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	c, err := archive.New(kernelfs.New(k), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range slices.Backward(want) {
		if w.Dir || w.Errno != "" {
			continue
		}
		got, err := c.Read(core.Caller{PID: a.Caller}, w.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(w.Text), string(got)); diff != "" {
			t.Errorf("%s, read from the last file to the first (-want +got):\n%s", w.Path, diff)
		}
	}
}
