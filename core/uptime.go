package core

import (
	"errors"
	"time"

	"lxcfs/kernelfs"
)

// renderUptime renders /proc/uptime (proc_uptime(5)): seconds since the container's init started, and
// the idle time of its CPUs, added up, which is the idle column of its /proc/stat.
func renderUptime(v *View) error {
	if v.container == nil {
		return errHost
	}
	sum, err := v.cpuLines(func(cpuLine) {})
	var idle uint64
	switch {
	case err == nil:
		idle = sum.idle
	case errors.Is(err, errHost) || kernelfs.Missing(err):
		if v.container.init == nil {
			return errHost
		}
		if idle, err = v.hostIdle(); err != nil {
			return err
		}
	default:
		return err
	}
	now, err := v.Now()
	if err != nil {
		return err
	}
	age := v.container.ago(now)
	v.decimal(uint64(age / (10 * time.Millisecond)))
	v.write(" ")
	v.decimal(idle * (100 / kernelfs.UserHZ))
	v.write("\n")
	if v.why == nil {
		return nil
	}
	if v.container.init == nil {
		v.because("uptime", "the host's /proc/uptime: the caller is in the host's pid namespace")
	} else {
		p := v.container.init
		v.because("uptime", "now %v (/proc/uptime) - start %v of init %d (/proc/%d/stat field 22)", now, now-age, p.PID, p.PID)
	}
	v.because("idle", "sum of the idle column of /proc/stat's cpuN lines")
	return nil
}

// hostIdle returns the idle time, in ticks, of the visible CPUs as the host counts it, for a container
// in the root cgroup.
func (v *View) hostIdle() (uint64, error) {
	text, err := v.FS().Stat.Shared(v.Snapshot)
	if err != nil {
		return 0, err
	}
	m, err := v.model()
	if err != nil {
		return 0, err
	}
	var idle uint64
	for len(text) > 0 {
		var line []byte
		line, text = kernelfs.Line(text)
		n, rest, ok := cpuNumber(line)
		if !ok || !m.visible.Has(n) {
			continue
		}
		var f []byte
		for range 4 {
			f, rest = kernelfs.Field(rest)
		}
		x, _, _ := kernelfs.ParseUint(f)
		idle += x
	}
	return idle, nil
}
