package inspect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"lxcfs/cmd/internal/archive"
	"lxcfs/core"
)

const hosts = "../../../testdata/hosts/"

// run runs one of the commands.
func run(t *testing.T, c *cobra.Command, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(args)
	err = c.Execute()
	return out.String(), err
}

// parsed returns an archive of the corpus.
func parsed(t *testing.T, name string) *archive.Archive {
	t.Helper()
	data, err := os.ReadFile(hosts + name)
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Both print, of an archive, the answers that are in it.
func TestRenderAndExplain(t *testing.T) {
	for _, name := range []string{"synthetic-docker-in-lxc.txtar", "synthetic-kubepods-systemd.txtar", "synthetic-memory-1t.txtar", "synthetic-arm.txtar"} {
		for _, w := range parsed(t, name).Want {
			if w.Dir || w.Errno != "" {
				continue
			}
			got, err := run(t, Render(), "--host", hosts+name, "/"+w.Path)
			if err != nil || got != string(w.Text) {
				t.Errorf("render %s of %s: %v, (-want +got)\n%s", w.Path, name, err, cmp.Diff(string(w.Text), got))
			}
			got, err = run(t, Explain(), "--json", "--host", hosts+name, w.Path)
			var x explained
			if err != nil || json.Unmarshal([]byte(got), &x) != nil {
				t.Fatalf("explain --json %s of %s: %v, %q", w.Path, name, err, got)
			}
			if x.Text != string(w.Text) || len(x.Origins) == 0 && x.Text != "" || len(x.Read) == 0 {
				t.Errorf("explain %s of %s: %d origins, %d files read, text (-want +got)\n%s", w.Path, name, len(x.Origins), len(x.Read), cmp.Diff(string(w.Text), x.Text))
			}
		}
	}
}

// Each line of meminfo has an origin, whose formula starts with the very value on that line.
func TestExplainEveryLine(t *testing.T) {
	out, err := run(t, Explain(), "--json", "--host", hosts+"synthetic-docker-in-lxc.txtar", "proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	var x explained
	if err := json.Unmarshal([]byte(out), &x); err != nil {
		t.Fatal(err)
	}
	origins := map[string]origin{}
	for _, o := range x.Origins {
		origins[o.Item] = o
	}
	lines := 0
	for line := range strings.Lines(x.Text) {
		label, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		o, ok := origins[label]
		if !ok || o.Value != value {
			// Counts and sizes that every host has alike pass through as they are.
			if label != "Hugepagesize" {
				t.Errorf("%s: explained as %+v, want the value %q", label, o, value)
			}
			continue
		}
		if strings.HasSuffix(value, " kB") && !strings.HasPrefix(o.From, value+" = ") {
			t.Errorf("%s is %s, explained as %q", label, value, o.From)
		}
		lines++
	}
	if lines < 40 {
		t.Errorf("%d lines explained, want 40 at least", lines)
	}
}

func TestExplainTable(t *testing.T) {
	out, err := run(t, Explain(), "--host", hosts+"synthetic-docker-in-lxc.txtar", "proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ITEM ", "\nMemTotal  ", "1048576 kB = limit 1048576 kB (/lxc.payload.outer memory.limit_in_bytes)\n",
		"- usage 337920 kB (/lxc.payload.outer memory.usage_in_bytes)",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("explain prints no %q:\n%s", want, out)
		}
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		text   string
		items  []string
		want   []string
		reason string
	}{
		{"MemTotal:  9 kB\nMemFree: 8 kB\n", []string{"MemFree", "MemTotal"}, []string{"8 kB", "9 kB"}, "labels"},
		{"0.10 0.20 0.30 1/2 77\n", []string{"averages", "running/total", "last"}, []string{"0.10 0.20 0.30", "1/2", "77"}, "fields of one line"},
		{"5.00 6.00\n", []string{"uptime", "idle"}, []string{"5.00", "6.00"}, "as many as fields"},
		{"0-3\n", []string{""}, []string{"0-3"}, "one for all"},
		{"0-3\n", []string{"a", "b"}, []string{"0-3", "0-3"}, "more than fields: all of the line"},
		{"8 0 sda 1 2\n8 16 sdb 3 4\n", []string{"sdb", "sdc"}, []string{"3 4", ""}, "devices"},
		{"Filename\tSize\tUsed\nnone\t9\t4\n", []string{"Size", "Used"}, []string{"9", "4"}, "columns"},
		{"Filename\tSize\tUsed\n", []string{"Size"}, []string{""}, "columns of no line"},
		{"processor\t: 0\nflags\t: a\n\nprocessor\t: 1\nflags\t: a\n", []string{"processor"}, []string{""}, "many lines"},
		{"processor\t: 3\nflags\t: a\n", []string{"processor"}, []string{"3"}, "one of them"},
		{"8 0 sda 1 2\n", []string{"sda"}, []string{"1 2"}, "the only device"},
		{"some a\nfull b\n", []string{""}, []string{""}, "one for all of many lines"},
	} {
		e := &core.Explanation{Text: c.text}
		for _, item := range c.items {
			e.Why = append(e.Why, core.Reason{Item: item})
		}
		var got []string
		for _, o := range origins(e) {
			got = append(got, o.Value)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: values of %q (-want +got):\n%s", c.reason, c.text, diff)
		}
	}
}

func TestRenderFlags(t *testing.T) {
	const file = hosts + "synthetic-kubepods-systemd.txtar"
	for _, c := range []struct {
		args   []string
		want   string
		reason string
	}{
		{nil, "0-1\n", "the flags in the archive: --enable-cfs"},
		{[]string{"--enable-cfs=false"}, "0-31\n", "the command line goes before them"},
		{[]string{"--pid", "1001"}, "0-1\n", "the caller by its number"},
	} {
		got, err := run(t, Render(), append(c.args, "--host", file, "/sys/devices/system/cpu/online")...)
		if err != nil || got != c.want {
			t.Errorf("%s: render %v = %q, %v, want %q", c.reason, c.args, got, err, c.want)
		}
	}
}

// A listing is an answer, and goes where answers go. The command is left its own standard output, which cobra's printing avoids.
func TestRenderDirectory(t *testing.T) {
	name := filepath.Join(t.TempDir(), "stdout")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	defer func(old *os.File) { os.Stdout = old }(os.Stdout)
	os.Stdout = file
	c := Render()
	c.SetArgs([]string{"--host", hosts + "synthetic-kubepods-systemd.txtar", "/sys/devices/system/cpu"})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(name)
	if err != nil || !strings.HasPrefix(string(out), "cpu0/\ncpu1/\nisolated\n") {
		t.Errorf("render of a directory = %q, %v, want its listing", out, err)
	}
}

// An error says what to do.
func TestErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.txtar")
	nobody := filepath.Join(t.TempDir(), "nobody.txtar")
	for name, text := range map[string]string{empty: "nothing\n", nobody: "-- proc/meminfo --\nMemTotal: 1 kB\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const host = hosts + "synthetic-arm.txtar"
	for _, c := range []struct {
		cmd  *cobra.Command
		args []string
		want string
	}{
		{Render(), nil, "lxcfsctl files lists them"},
		{Render(), []string{"a", "b"}, "one served file wanted"},
		{Render(), []string{"--host", host, "/proc/version"}, "lxcfsctl files lists what is served"},
		{Explain(), []string{"--host", host, "/proc/version"}, "lxcfsctl files lists what is served"},
		{Render(), []string{"--host", "/nonexistent", "/proc/stat"}, "archive: open /nonexistent"},
		{Render(), []string{"--host", empty, "/proc/stat"}, "lxcfsctl capture writes them"},
		{Render(), []string{"--host", nobody, "/proc/meminfo"}, "by --pid"},
		{Render(), []string{"--host", host, "--pid", "77777", "/proc/stat"}, "leave --pid out"},
		{Render(), []string{"--host", host, "--pid", "0", "/proc/stat"}, "--pid 0: want a process"},
		{Render(), []string{"--pid", "-1", "/proc/stat"}, "--pid -1: want a process"},
		{Render(), []string{"--host", host, "meminfo"}, "(/proc/meminfo is served)"},
		{Explain(), []string{"--host", host, "cpu/online"}, "(/sys/devices/system/cpu/online is served)"},
		{Replay(), []string{host}, "a host, not a scenario"},
		{Render(), []string{"--enable-loadavg", "--disable-loadavg", "/proc/stat"}, "enable-loadavg"},
		{Replay(), []string{"/nonexistent"}, "/nonexistent"},
		{Files(), []string{"--json", "--markdown"}, "markdown"},
	} {
		if out, err := run(t, c.cmd, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q = %q, %v, want an error with %q", c.cmd.Name(), c.args, out, err, c.want)
		}
	}
}

func TestCompletion(t *testing.T) {
	names, _ := Render().ValidArgsFunction(Render(), nil, "")
	if len(names) != len(core.Files) || names[1] != "/proc/meminfo" {
		t.Errorf("completions = %v, want the served files", names)
	}
}

func TestReplay(t *testing.T) {
	const script = `boot unified
cgroup create /lxc/web
limit memory /lxc/web 64M
limit cpu /lxc/web 1
spawn web in /lxc/web pidns=new
read /proc/meminfo as web
stdout 'MemTotal: +65536 kB'
read /sys/devices/system/cpu/online as web
stdout ^0-0$|^0$
`
	name := filepath.Join(t.TempDir(), "web.txtar")
	if err := os.WriteFile(name, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, Replay(), "--trace", "--enable-cfs", name)
	if err != nil || !strings.Contains(out, "max -> 67108864") {
		t.Errorf("replay --trace = %v, want it to show memory.max change:\n%s", err, out)
	}
	if _, err := run(t, Replay(), name); err == nil {
		t.Error("replay without --enable-cfs succeeds, want it to fail: 4 CPUs are shown")
	}
}
