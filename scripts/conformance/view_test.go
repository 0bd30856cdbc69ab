//go:build integration

package conformance

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

// view is package core over either kernel.
type view struct{ core *core.Core }

// hostFiles are this machine's, opened once: their descriptors stay open.
var hostFiles = sync.OnceValues(func() (*kernelfs.FS, error) { return kernelfs.Host(1024) })

// newView makes one over the fake k, or over the real kernel, with the words of the verb daemon.
func newView(k *fakekernel.Kernel, words []string) (*view, error) {
	var o core.Options
	f := pflag.NewFlagSet("daemon", pflag.ContinueOnError)
	f.BoolVar(&o.CFS, "enable-cfs", false, "")
	f.BoolVarP(&o.NoSwap, "disable-swap", "u", false, "")
	f.BoolVar(&o.NoZswap, "disable-zswap", false, "")
	f.BoolVar(&o.NoLoadavg, "disable-loadavg", false, "")
	f.BoolVar(&o.PSIPoll, "enable-psi-poll", false, "")
	off := f.Bool("off", false, "")
	if err := f.Parse(words); err != nil {
		return nil, fmt.Errorf("daemon: %w", err)
	}
	files, err := hostFiles()
	if k != nil {
		files, err = kernelfs.New(k), nil
	}
	if err != nil {
		return nil, err
	}
	c, err := core.New(files, o)
	if err != nil {
		return nil, err
	}
	c.Virtualize(!*off)
	return &view{c}, nil
}

// files are all served ones and the one directory whose names depend on the container.
func files() []string {
	var all []string
	for i := range core.Files {
		all = append(all, core.Files[i].Path)
	}
	return append(all, "sys/devices/system/cpu/")
}

func (v *view) ask(at time.Duration, who string, pid int, uid uint32, file string) answer {
	a := answer{at: at, who: who, pid: pid, file: file}
	caller := core.Caller{PID: pid, UID: uid}
	if dir, ok := strings.CutSuffix(file, "/"); ok {
		var list []core.Entry
		list, a.err = v.core.List(caller, dir)
		for _, e := range list {
			a.text += e.Name + "\n"
		}
		return a
	}
	var text []byte
	text, a.err = v.core.Read(caller, file, nil)
	a.text = string(text)
	return a
}
