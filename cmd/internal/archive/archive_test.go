package archive_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lxcfs/cmd/internal/archive"
)

const small = `A host to be read.
Kept for this test.
caller: 42
flags: --enable-cfs -u
-- proc/meminfo --
MemTotal: 1 kB
-- proc/42/ns/pid -> pid:[4026532201] --
-- sys/fs/cgroup/lxc/ --
-- sys/fs/cgroup/lxc/io.stat ! EACCES --
-- want/proc/meminfo --
MemTotal: 2 kB
-- want/proc/slabinfo ! EACCES --
-- want/sys/devices/system/cpu/ --
cpu0/
online
-- want-lxcfs/proc/meminfo --
MemTotal: 3 kB
`

func TestParse(t *testing.T) {
	got, err := archive.Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	want := &archive.Archive{
		Comment: "A host to be read.\nKept for this test.\n",
		Caller:  42,
		Flags:   []string{"--enable-cfs", "-u"},
		Host: []archive.Entry{
			{Path: "proc/meminfo", Text: []byte("MemTotal: 1 kB\n")},
			{Path: "proc/42/ns/pid", Link: "pid:[4026532201]"},
			{Path: "sys/fs/cgroup/lxc", Dir: true, Text: []byte{}},
			{Path: "sys/fs/cgroup/lxc/io.stat", Errno: "EACCES"},
		},
		Want: []archive.Entry{
			{Path: "proc/meminfo", Text: []byte("MemTotal: 2 kB\n")},
			{Path: "proc/slabinfo", Errno: "EACCES"},
			{Path: "sys/devices/system/cpu", Dir: true, Text: []byte("cpu0/\nonline\n")},
		},
		Oracle: []archive.Entry{{Path: "proc/meminfo", Text: []byte("MemTotal: 3 kB\n")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(small, string(got.Bytes())); diff != "" {
		t.Errorf("Bytes of what was parsed (-want +got):\n%s", diff)
	}
	k, err := got.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"/proc/meminfo": "MemTotal: 1 kB\n", "/want/proc/meminfo": "", "/want-lxcfs/proc/meminfo": ""} {
		text, err := k.ReadFile(name)
		if string(text) != want || (err != nil) != (want == "") {
			t.Errorf("the host's %s = %q, %v, want %q: answers are no part of it", name, text, err, want)
		}
	}
}

func TestParseCaller(t *testing.T) {
	for _, c := range []struct{ line, reason string }{
		{"caller: ", "nobody"},
		{"caller: 0", "0 is a caller that nobody sees"},
		{"caller: -1", "negative"},
		{"caller: init", "a name: an archive knows numbers"},
	} {
		if a, err := archive.Parse([]byte(c.line + "\n")); err == nil || !strings.Contains(err.Error(), "caller") {
			t.Errorf("Parse(%q) (%s) = %+v, %v, want an error that names the line", c.line, c.reason, a, err)
		}
	}
}

func TestDiff(t *testing.T) {
	file := func(p, text string) archive.Entry { return archive.Entry{Path: p, Text: []byte(text)} }
	a, b := file("a", "1\n"), file("b", "2\n")
	for _, c := range []struct {
		got, want []archive.Entry
		diff      string
		reason    string
	}{
		{[]archive.Entry{a, b}, []archive.Entry{a, b}, "", "equal"},
		{[]archive.Entry{b, a}, []archive.Entry{a, b}, "", "order says nothing"},
		{[]archive.Entry{a}, []archive.Entry{a, b}, "b: no answer", "one is missing"},
		{[]archive.Entry{a, b}, []archive.Entry{a}, "b: an answer that is not wanted", "one too many"},
		{[]archive.Entry{file("a", "3\n")}, []archive.Entry{a}, `a:1: got "3\n", want "1\n"`, "another text"},
		{[]archive.Entry{file("a", "1\n2\n3\n")}, []archive.Entry{file("a", "1\n4\n5\n")}, `a:2: got "2\n", want "4\n"`, "the first line that differs, alone"},
		{[]archive.Entry{file("a", "1\n2\n")}, []archive.Entry{a}, `a:2: got "2\n", want ""`, "a line more"},
		{[]archive.Entry{file("a", "1")}, []archive.Entry{a}, `a:1: got "1", want "1\n"`, "no end of line"},
		{[]archive.Entry{{Path: "a", Errno: "EIO"}}, []archive.Entry{a}, "a ! EIO, want a", "an error instead of a text"},
		{[]archive.Entry{{Path: "a", Errno: "EIO"}}, []archive.Entry{{Path: "a", Errno: "EACCES"}}, "EIO, want a ! EACCES", "another error"},
	} {
		if got := archive.Diff(c.got, c.want); !strings.Contains(got, c.diff) || (got == "") != (c.diff == "") {
			t.Errorf("%s: Diff = %q, want %q", c.reason, got, c.diff)
		}
	}
}

// What is written is read as it was, whatever was read first.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("caller: 1\n-- a -> b ! EIO/ --\n-- want/ --\nx"))
	f.Add([]byte("flags:  \n-- x/ --\ntext"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.ContainsRune(data, '\r') {
			return // txtar takes it for part of a line's end; no kernel file has any
		}
		a, err := archive.Parse(data)
		if err != nil {
			return
		}
		b, err := archive.Parse(a.Bytes())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, a.Bytes())
		}
		if diff := cmp.Diff(string(a.Bytes()), string(b.Bytes())); diff != "" {
			t.Errorf("written twice (-first +second):\n%s", diff)
		}
	})
}
