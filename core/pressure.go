package core

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"lxcfs/kernelfs"
)

// renderPressure renders /proc/pressure/RESOURCE (Documentation/accounting/psi.rst): the cgroup's own
// file, which has the same form.
func renderPressure(resource kernelfs.Controller) func(*View) error {
	return func(v *View) error {
		cg, err := v.below(kernelfs.PSI)
		if err != nil {
			return err
		}
		text, err := cg.Pressure(v.Snapshot, resource)
		if err != nil {
			return err
		}
		if len(text) == 0 {
			return errHost // cgroup.pressure is 0
		}
		v.out = append(v.out, text...)
		if v.why != nil {
			v.because("", "%s %s", cg.Path, pressureFile[resource])
		}
		return nil
	}
}

var pressureFile = map[kernelfs.Controller]string{
	kernelfs.CPU: "cpu.pressure", kernelfs.IO: "io.pressure", kernelfs.Memory: "memory.pressure",
}

// maxTrigger is the longest trigger text the kernel takes.
const maxTrigger = 32

// maxWindow is the longest window of a trigger, in microseconds.
const maxWindow = 10_000_000

// Trigger arms a pressure trigger, "some 150000 1000000", on who's container: threshold and window in
// microseconds. Errors are EINVAL for a text that is no trigger (or that the kernel takes for none: an
// unprivileged daemon may only ask for windows of multiples of 2 s) and for files that take none, and
// EIO for a caller without a container, or where the kernel refuses.
func (c *Core) Trigger(who Caller, path string, text []byte) (*kernelfs.Trigger, error) {
	f := rows[path]
	switch {
	case c.off.Load():
		return nil, syscall.EIO
	case f == nil:
		return nil, syscall.ENOENT
	case f.pressure == 0 || !c.opt.PSIPoll:
		return nil, syscall.EINVAL
	}
	spec, ok := parseTrigger(text)
	if !ok {
		return nil, syscall.EINVAL
	}
	v := c.view(who)
	defer c.done(v)
	if err := c.resolve(v); err != nil {
		return nil, fmt.Errorf("%w: %w", syscall.EIO, err)
	}
	cg, err := v.below(kernelfs.PSI)
	if err != nil {
		return nil, syscall.EIO
	}
	t, err := cg.Trigger(f.pressure-1, spec)
	if errors.Is(err, syscall.EINVAL) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", syscall.EIO, err)
	}
	return t, nil
}

// parseTrigger checks a trigger and returns it as the kernel wants it. A terminating newline or NUL is
// not part of it.
func parseTrigger(text []byte) (string, bool) {
	if len(text) > maxTrigger {
		return "", false
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	f := strings.Fields(string(text))
	if len(f) != 3 || f[0] != "some" && f[0] != "full" {
		return "", false
	}
	threshold, rest, ok := kernelfs.ParseUint([]byte(f[1]))
	window, rest2, ok2 := kernelfs.ParseUint([]byte(f[2]))
	if !ok || !ok2 || len(rest)+len(rest2) > 0 {
		return "", false
	}
	if window == 0 || window > maxWindow || threshold == 0 || threshold > window {
		return "", false
	}
	return fmt.Sprintf("%s %d %d", f[0], threshold, window), true
}
