package fakekernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestRunStates(t *testing.T) {
	for _, c := range []struct {
		reason, options string
		states          string // of three threads
		load            int
	}{
		{"idle", "user=0", "SSS", 0},
		{"whole CPUs", "user=1 system=1", "RRS", 2},
		{"half a CPU is found running", "user=0.5", "RSS", 1},
		{"less is found asleep", "user=0.4", "SSS", 0},
		{"unless it says so", "user=0.4 state=R", "RSS", 1},
		{"blocked", "state=D", "DDD", 3},
		{"asleep", "state=S", "SSS", 0},
	} {
		k := boot(t, "unified", "spawn p in /a threads=3\nrun p "+c.options)
		var got strings.Builder
		for tid := 1000; tid < 1003; tid++ {
			got.WriteString(strings.Fields(read(t, k, fmt.Sprintf("/proc/1000/task/%d/stat", tid)))[2])
		}
		if got.String() != c.states {
			t.Errorf("%s: states %s, want %s", c.reason, got.String(), c.states)
		}
		r, d := k.m.running()
		if r-1+d != c.load {
			t.Errorf("%s: %d running and %d blocked, want %d", c.reason, r-1, d, c.load)
		}
	}
	k := boot(t, "unified", "spawn p in /a")
	for _, bad := range []string{"state=R", "state=D user=1", "state=Z", "user=-1", "user=x", "nice=20", "nice=-21", "colour=red"} {
		if err := k.Run("p", strings.Fields(bad)...); err == nil {
			t.Errorf("run p %s succeeded", bad)
		}
	}
	do(t, k, "run p nice=19\nrun p nice=-20\nrun p user=2.5")
	if got := read(t, k, "/proc/1000/status"); !strings.Contains(got, "Threads:\t3\n") {
		t.Errorf("who wants 2.5 CPUs has three threads:\n%s", got)
	}
}

// flagged is a Subject that tells its flags and ticks.
type flagged struct {
	cat
	flags []string
}

func (f *flagged) Read(pid int, uid uint32, file string) ([]byte, error) {
	switch file {
	case "flags":
		return []byte(strings.Join(f.flags, ",") + "\n"), nil
	case "ticks":
		return fmt.Appendf(nil, "%d\n", f.ticks), nil
	}
	return nil, os.ErrNotExist
}

func TestScriptCommands(t *testing.T) {
	run := func(script string) (string, error) {
		file := filepath.Join(t.TempDir(), "s.txtar")
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err := Replay(&out, file, false, func(k *Kernel, args ...string) (Subject, error) {
			if len(args) > 0 && args[0] == "--bad" {
				return nil, errors.New("bad flag")
			}
			return &flagged{cat: cat{k: k}, flags: args}, nil
		})
		return out.String(), err
	}
	for _, c := range []struct {
		reason, script string
		pass           bool
	}{
		{"flags before boot", "daemon --enable-cfs -l\nboot unified\nread flags as 1\nstdout '^--enable-cfs,-l$'\n", true},
		{"flags after boot start it anew", "boot unified\ntick 5s\ndaemon -u\nread flags as 0\nstdout '^-u$'\nread ticks as 0\nstdout '^0$'\n", true},
		{"a subject that does not start", "boot unified\n! daemon --bad\nstderr 'bad flag'\n", true},
		{"ticks at whole 5 s", "boot unified\ntick 4s\nread ticks as 0\nstdout '^0$'\ntick 1s\nread ticks as 0\nstdout '^1$'\ntick 14999ms\nread ticks as 0\nstdout '^3$'\n", true},
		{"verbs before boot", "! spawn x in /a\nstderr 'boot a host first'\n! tick 1s\n! read flags as 1\nboot unified\n", true},
		{"conditions are the booted host's", "boot hybrid\n[hybrid] stop\nspawn\n", true},
		{"and no other's", "boot hybrid\n[unified] stop\nspawn\n", false},
		{"unknown condition", "[sunny] stop\n", false},
		{"what should fail must", "boot unified\n! tick 1s\n", false},
		{"usage", "boot unified\n! read flags\nstderr 'usage: read FILE as NAME'\n! spawn x at /a\nstderr 'the word \"in\"'\n! limit memory /a\nstderr 'usage: limit'\n", true},
		{"skip", "skip 'not today'\nnonsense\n", true},
		{"a dead process still has its pid", "boot unified\nspawn p in /a\nkill p\nread flags as p\n! read flags as q\n", true},
		{"kill behind a condition", "boot unified\nspawn p in /a\n[unified] kill p\n! kill p\nstderr ESRCH\n", true},
		{
			"what is not there cannot fail, nor be removed",
			"boot unified\ncgroup create /c\n! fail /sys/fs/cgroup/c/memory.maxx EIO\nstderr memory.maxx.*ENOENT\n! fail /sys/fs/cgroup/nosuch EIO\nstderr ENOENT\n" +
				"! remove /proc/nosuch\nstderr ENOENT\nremove /proc/swaps\n! remove /proc/swaps\nfail /proc/swaps 0\nremove /proc/swaps\n", true,
		},
		{"a controller that comes too late", "boot unified\nspawn p in /a\ncgroup create /a/b\n! limit memory /a/b 1G\nstderr 'spawn in a leaf.*ENOENT'\n", true},
		{"an empty script", "", false},
		{"no boot", "env a=b\n", false},
		{"no CPUs", "! boot unified cpus=0\nstderr 'cpus=0: want 1'\n! boot unified threads=0\n! boot unified package=0\nboot unified\n", true},
		{"no memory", "! boot unified memory=0\nstderr 'memory=0: want 64M'\nboot unified\n", true},
		{"an old kernel", "! boot unified kernel=3.10\nstderr 'from 4.0 on'\nboot unified\n", true},
		{"list", "boot unified\nlist /proc/self/ns as 1\ncmp stdout want\n-- want --\npid\npid_for_children\n", true},
	} {
		if out, err := run(c.script); (err == nil) != c.pass {
			t.Errorf("%s: %v, want it to pass: %v\n%s", c.reason, err, c.pass, out)
		}
	}
}

func TestRespell(t *testing.T) {
	script := "kill p\n! kill p\n  [legacy] [!hybrid] ! kill p # kill\nkillall\nstdout kill\n-- kill --\nkill p\n"
	want := "kill_ p\n! kill_ p\n  [legacy] [!hybrid] ! kill_ p # kill\nkillall\nstdout kill\n-- kill --\nkill p\n"
	got := respellVerb([]byte(script), "kill", ownKill)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(script, string(respellVerb(got, ownKill, "kill"))); diff != "" {
		t.Errorf("back (-want +got)\n%s", diff)
	}
}

func TestUpdatedScriptsAreWrittenBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "u.txtar")
	script := "boot unified\nspawn p in /a\nread /proc/PID/comm as p\nkill p\ncmp stdout want\n-- want --\nold\n"
	script = strings.Replace(script, "kill p\ncmp stdout want", "cmp stdout want\nkill p", 1)
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("update", func(t *testing.T) {
		Run(t, testscript.Params{Files: []string{file}, UpdateScripts: true}, newCat)
	})
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Replace(script, "old\n", "p\n", 1), string(b)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A thread that wants nothing, and one that may run nowhere, take no CPU.
func TestPlaceNothing(t *testing.T) {
	load := []int64{100, 200}
	if got := place(nil, nil, 0, fullMask(2), load); len(got) != 0 || load[0] != 100 {
		t.Errorf("a thread that wants nothing has %v", got)
	}
	if got := place(nil, nil, 500, newMask(2), load); len(got) != 0 || load[0] != 100 {
		t.Errorf("a thread that may run nowhere has %v", got)
	}
}
