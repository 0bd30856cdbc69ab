package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lxcfs": main})
}

func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}

// Each flag of LXCFS 7.0.0 and 6.0 (those that are gone included) must go on being accepted: units and scripts in the field hold them.
func TestAcceptsFlagsOfLXCFS(t *testing.T) {
	for _, args := range [][]string{
		{"-d"}, {"--debug"}, {"-f"}, {"--foreground"}, {"-l"}, {"--enable-loadavg"}, {"-u"}, {"--disable-swap"}, {"--disable-zswap"},
		{"--enable-cfs"}, {"--enable-pidfd"}, {"--enable-psi-poll"}, {"--enable-cgroup"}, {"-s"}, {"-p", "/tmp/p"}, {"--pidfile=/tmp/p"},
		{"--runtime-dir=/tmp"}, {"--runtime-dir", "/tmp"}, {"-o", "allow_other,nonempty,direct_io,entry_timeout=0.5,attr_timeout=0.5"},
		{"-oallow_other"}, {"-lu"}, {"-flp/tmp/p"}, {"--enable-l"}, {"--pid=/tmp/p"},
	} {
		for _, line := range [][]string{append(args[:len(args):len(args)], "/mnt"), append([]string{"/mnt"}, args...)} {
			if c, err := parse(line); err != nil || c.mountpoint != "/mnt" {
				t.Errorf("parse(%q) = mount point %q, %v", line, c.mountpoint, err)
			}
		}
	}
}

func TestFlagsSetTheirOptions(t *testing.T) {
	for _, tt := range []struct {
		args, reason string
		ok           func(config) bool
	}{
		{"--enable-cfs /m", "quota view", func(c config) bool { return c.core(nil).CFS }},
		{"-u /m", "swap", func(c config) bool { return c.core(nil).NoSwap && !c.core(nil).NoZswap }},
		{"--disable-zswap /m", "zswap", func(c config) bool { return c.core(nil).NoZswap && !c.core(nil).NoSwap }},
		{"--disable-loadavg /m", "load averages are on unless switched off", func(c config) bool { return c.core(nil).NoLoadavg }},
		{"-l /m", "already the default", func(c config) bool { return !c.core(nil).NoLoadavg }},
		{"--enable-psi-poll /m", "triggers", func(c config) bool { return c.core(nil).PSIPoll }},
		{"--runtime-dir /r /m", "the pidfile is in the runtime directory", func(c config) bool { return c.pidfile == "/r/lxcfs.pid" }},
		{"--runtime-dir /r -p /x /m", "unless it is named", func(c config) bool { return c.pidfile == "/x" }},
		{"/m", "LXCFS's default", func(c config) bool { return c.pidfile == "/run/lxcfs.pid" && !c.keepMount }},
		{"--keep-mount /m", "for supervisors that hold the connection", func(c config) bool { return c.keepMount }},
	} {
		c, err := parse(strings.Fields(tt.args))
		if err != nil || !tt.ok(c) {
			t.Errorf("parse(%q) = %+v, %v (%s)", tt.args, c, err, tt.reason)
		}
	}
}

func TestManualNamesEveryFlag(t *testing.T) {
	page, help := manual(newFlags(new(config))), usage()
	newFlags(new(config)).VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden {
			return
		}
		if want := "Fl -" + strings.ReplaceAll(flag.Name, "-", `\-`) + "\n"; !strings.Contains(page, want) && !strings.Contains(page, strings.TrimSuffix(want, "\n")+" Ar ") {
			t.Errorf("manual page lacks %q", want)
		}
		if want := "--" + flag.Name; !strings.Contains(help, want) {
			t.Errorf("help lacks %q", want)
		}
	})
	if strings.Contains(page, "@flags@") {
		t.Error("the manual's flags are not filled in")
	}
}

func TestPidfileIsRemovedByItsOwnerOnly(t *testing.T) {
	path := t.TempDir() + "/lxcfs.pid"
	p, err := lockPidfile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody replaced it: what is there now is not ours to remove.
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.remove(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "1\n" {
		t.Errorf("another's pidfile = %q, %v after remove, want it untouched", got, err)
	}
}

func TestPidfileWantsItsDirectory(t *testing.T) {
	dir := t.TempDir() + "/none"
	_, err := lockPidfile(dir + "/lxcfs.pid")
	if want := "make the directory first (mkdir -p " + dir + ")"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("lockPidfile in a directory that is not there = %v, want %q", err, want)
	}
}

// README's table is what people read; it must say what help says.
func TestReadmeListsEveryFlag(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	eachFlag(newFlags(new(config)), func(flag *pflag.Flag, placeholder, usage string) {
		name := strings.TrimRight("--"+flag.Name+" "+placeholder, " ")
		if flag.Shorthand != "" {
			name = "-" + flag.Shorthand + "`, `" + name
		}
		if row := "| `" + name + "` | " + usage + " |\n"; !strings.Contains(string(text), row) {
			t.Errorf("README.md lacks %q", row)
		}
	})
}
