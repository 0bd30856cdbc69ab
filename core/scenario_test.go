package core_test

import (
	"fmt"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"

	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

// TestScenarios runs testdata/script on fake kernels.
func TestScenarios(t *testing.T) {
	fakekernel.Run(t, testscript.Params{
		Dir:                "../testdata/script",
		RequireUniqueNames: true,
	}, newSubject)
}

// subject is core as a scenario sees it.
type subject struct{ *core.Core }

func newSubject(k *fakekernel.Kernel, args ...string) (fakekernel.Subject, error) {
	var o core.Options
	f := pflag.NewFlagSet("daemon", pflag.ContinueOnError)
	f.BoolVar(&o.CFS, "enable-cfs", false, "")
	f.BoolVarP(&o.NoSwap, "disable-swap", "u", false, "")
	f.BoolVar(&o.NoZswap, "disable-zswap", false, "")
	f.BoolVar(&o.NoLoadavg, "disable-loadavg", false, "")
	f.BoolVar(&o.PSIPoll, "enable-psi-poll", false, "")
	off := f.Bool("off", false, "")
	if err := f.Parse(args); err != nil {
		return nil, fmt.Errorf("daemon: %w", err)
	}
	c, err := core.New(kernelfs.New(k), o)
	if err != nil {
		return nil, err
	}
	c.Virtualize(!*off)
	return subject{c}, nil
}

func (s subject) Read(pid int, uid uint32, file string) ([]byte, error) {
	return s.Core.Read(core.Caller{PID: pid, UID: uid}, file, nil)
}

func (s subject) List(pid int, dir string) ([]string, error) {
	list, err := s.Core.List(core.Caller{PID: pid}, dir)
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	return names, err
}
