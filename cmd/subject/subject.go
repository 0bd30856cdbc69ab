// Package subject is the daemon's inside as a scenario sees it: package core on a fake kernel, with the
// daemon's flags. Scenario tests and "lxcfsctl replay" run the same one.
package subject

import (
	"fmt"
	"path"
	"strings"

	"github.com/spf13/pflag"

	"lxcfs/cmd/internal/flags"
	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

// New returns core on k. The words are the daemon's flags that say what containers see, and --off for
// the state that SIGUSR2 toggles.
func New(k *fakekernel.Kernel, words ...string) (fakekernel.Subject, error) {
	var o core.Options
	f := pflag.NewFlagSet("daemon", pflag.ContinueOnError)
	f.Usage = func() {}
	flags.View(f, &o)
	off := f.Bool("off", false, "show the host's files")
	if err := f.Parse(words); err != nil {
		return nil, fmt.Errorf("daemon: %w", err)
	}
	c, err := core.New(kernelfs.New(k), o)
	if err != nil {
		return nil, err
	}
	c.Virtualize(!*off)
	return subject{c}, nil
}

type subject struct{ core *core.Core }

// Read answers for a served file, which may be named from the root or from the mount point.
func (s subject) Read(pid int, uid uint32, file string) ([]byte, error) {
	return s.core.Read(core.Caller{PID: pid, UID: uid}, below(file), nil)
}

func (s subject) List(pid int, dir string) ([]string, error) {
	list, err := s.core.List(core.Caller{PID: pid}, below(dir))
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name
	}
	return names, err
}

func (s subject) Tick() { s.core.Tick() }

func below(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }
