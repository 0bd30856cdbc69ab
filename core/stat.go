package core

import (
	"bytes"
	"errors"

	"lxcfs/kernelfs"
)

// renderStat renders /proc/stat (proc_stat(5)): the CPU lines are the container's, as are
// procs_running and procs_blocked; intr, ctxt, btime, processes and softirq are the host's. Times of
// processes in /proc/PID/stat count from the host's btime, so it must stay.
func renderStat(v *View) error {
	text, err := v.FS().Stat.Shared(v.Snapshot)
	if err != nil {
		return err
	}
	if err := v.statLines(text); err != nil {
		return err
	}
	if v.why != nil {
		v.because("cpu", "sum of the cpuN lines, in 1/%d s", kernelfs.UserHZ)
		v.because("procs_running", "threads in state R of %s and below, at least the reader", v.loadCgroup())
		v.because("procs_blocked", "threads in state D of %s and below", v.loadCgroup())
		v.because("cpuN", "%s; time used: %s spread over them%s, idle: what is left of the container's age", v.cpus.why(), place(v.times.At), v.divided())
	}
	for len(text) > 0 {
		var line []byte
		line, text = kernelfs.Line(text)
		switch {
		case bytes.HasPrefix(line, []byte("cpu")):
		case bytes.HasPrefix(line, []byte("procs_running ")):
			v.write("procs_running ")
			v.number(uint64(max(1, v.threads().Running)))
			v.write("\n")
		case bytes.HasPrefix(line, []byte("procs_blocked ")):
			v.write("procs_blocked ")
			v.number(uint64(v.threads().Blocked))
			v.write("\n")
		default:
			v.out = append(append(v.out, line...), '\n')
			if v.why != nil {
				key, _ := kernelfs.Field(line)
				v.because(string(key), "the host's /proc/stat")
			}
		}
	}
	return nil
}

// divided says what tells user from system time.
func (v *View) divided() string {
	if v.times.SplitAt.Cgroup == nil {
		return ""
	}
	return ", user and system by " + v.times.SplitAt.File()
}

// statLines appends the aggregate and the cpuN lines. The lines come first and are moved behind their
// sum.
func (v *View) statLines(host []byte) error {
	start := len(v.out)
	sum, err := v.cpuLines(v.statLine)
	if errors.Is(err, errHost) || kernelfs.Missing(err) {
		return v.hostStatLines(host)
	}
	if err != nil {
		return err
	}
	end := len(v.out)
	v.statLine(sum)
	v.rotate(start, end)
	return nil
}

// rotate moves what was appended since end to start.
func (v *View) rotate(start, end int) {
	var tmp [256]byte
	last := append(tmp[:0], v.out[end:]...)
	copy(v.out[start+len(last):], v.out[start:end])
	copy(v.out[start:], last)
}

func (v *View) statLine(l cpuLine) {
	v.write("cpu")
	if l.cpu >= 0 {
		v.number(uint64(l.cpu))
	} else {
		v.write(" ")
	}
	for _, n := range [...]uint64{l.user, l.nice, l.system, l.idle} {
		v.write(" ")
		v.number(n)
	}
	v.write(" 0 0 0 0 0 0\n") // iowait irq softirq steal guest guest_nice: not accounted per cgroup
}

// hostStatLines is for callers whose CPU time is the host's: its lines of the visible CPUs and their
// sum. A caller that sees them all gets the host's file.
func (v *View) hostStatLines(host []byte) error {
	m, err := v.model()
	if err != nil {
		return err
	}
	all, err := v.whole(m)
	if err != nil {
		return err
	}
	if all {
		return errHost
	}
	var sum [10]uint64
	start := len(v.out)
	for len(host) > 0 {
		var line []byte
		line, host = kernelfs.Line(host)
		n, rest, ok := cpuNumber(line)
		if !ok || !m.visible.Has(n) {
			continue
		}
		v.out = append(append(v.out, line...), '\n')
		for i := range sum {
			var f []byte
			f, rest = kernelfs.Field(rest)
			x, _, _ := kernelfs.ParseUint(f)
			sum[i] += x
		}
	}
	end := len(v.out)
	v.write("cpu ")
	for _, n := range sum {
		v.write(" ")
		v.number(n)
	}
	v.write("\n")
	v.rotate(start, end)
	return nil
}

// cpuNumber reads the number of a cpuN line and returns what follows it.
func cpuNumber(line []byte) (n int, rest []byte, ok bool) {
	digits, ok := bytes.CutPrefix(line, []byte("cpu"))
	if !ok {
		return 0, nil, false
	}
	num, rest, ok := kernelfs.ParseUint(digits)
	return int(num), rest, ok && num < 1<<16
}
