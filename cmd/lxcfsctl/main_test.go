package main

import (
	"bytes"
	"strings"
	"testing"
)

func run(args ...string) (string, error) {
	var out bytes.Buffer
	c := command()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

// Every command that people see says what it is for, and its flags can be parsed.
func TestHelp(t *testing.T) {
	for _, c := range append(command().Commands(), command()) {
		if c.Hidden {
			continue
		}
		out, err := run(strings.Fields(strings.TrimPrefix(c.CommandPath(), "lxcfsctl") + " --help")...)
		if err != nil || !strings.Contains(out, "Usage:") || strings.Contains(out, "true|false") || c.Short == "" {
			t.Errorf("lxcfsctl %s --help = %v, short %q:\n%s", c.Name(), err, c.Short, out)
		}
	}
}

func TestCommands(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"files", "/proc/meminfo"},
		{"--version", "lxcfsctl "},
		{"completion bash", "__start_lxcfsctl"},
		{"__complete render /proc/m", "/proc/meminfo\n"},
		{"render --host ../../testdata/hosts/synthetic-arm64.txtar /sys/devices/system/cpu/online", "2-3,5\n"},
	} {
		if out, err := run(strings.Fields(c.args)...); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("lxcfsctl %s = %q, %v, want %q in it", c.args, out, err, c.want)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"rendr", "render"},
		{"render --no-such x", "no-such"},
		{"render --no-such x", "(see lxcfsctl render --help)"},
		{"capture", "--pid PID wanted"},
		{"capture --pid 1 extra", "extra: no arguments wanted"},
		{"replay", "a scenario wanted"},
	} {
		if _, err := run(strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("lxcfsctl %s = %v, want an error with %q", c.args, err, c.want)
		}
	}
}
