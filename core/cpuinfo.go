package core

import (
	"bytes"

	"lxcfs/kernelfs"
)

// renderCPUInfo renders /proc/cpuinfo (proc_cpuinfo(5)): the host's blocks of the visible CPUs, under
// their own numbers, and all that does not belong to one CPU (mips prints it first, arm and powerpc
// last, s390x counts CPUs in it).
func renderCPUInfo(v *View) error {
	m, err := v.model()
	if err != nil {
		return err
	}
	text, err := v.CPUInfoFor(v.who.PID)
	if err != nil {
		return err
	}
	block, show := false, true
	for len(text) > 0 {
		var line []byte
		line, text = kernelfs.Line(text)
		cpu, kind := cpuinfoLine(line)
		switch kind {
		case firstOfBlock:
			block, show = true, m.visible.Has(cpu)
			// All the same for the rest of the block, of which x86 has 28 lines for each CPU.
			if end := bytes.Index(text, []byte("\n\n")); end >= 0 && !bytes.Contains(text[:end], []byte("processor")) {
				if show {
					v.out = append(append(append(v.out, line...), '\n'), text[:end+2]...)
				}
				text, block, show = text[end+2:], false, true
				continue
			}
		case aloneForCPU:
			if !m.visible.Has(cpu) {
				continue
			}
		case countOfCPUs:
			v.out = append(v.out, line[:bytes.IndexByte(line, ':')+1]...)
			v.write(" ")
			v.number(uint64(m.visible.Count()))
			v.write("\n")
			continue
		}
		if show {
			v.out = append(append(v.out, line...), '\n')
		}
		if block && len(line) == 0 {
			block, show = false, true
		}
	}
	if v.why != nil {
		v.because("processor", "%s; the rest is the host's /proc/cpuinfo", m.why())
	}
	return nil
}

// lineKind is what a line of /proc/cpuinfo says of CPUs.
type lineKind uint8

const (
	otherLine    lineKind = iota
	firstOfBlock          // "processor\t: 3", and s390x's "cpu number      : 3": lines to the next empty one are this CPU's
	aloneForCPU           // s390x: "processor 3: version = ..."
	countOfCPUs           // s390x: "# processors    : 4"
)

func cpuinfoLine(line []byte) (cpu int, kind lineKind) {
	rest, ok := bytes.CutPrefix(line, []byte("processor"))
	if !ok {
		if rest, ok = bytes.CutPrefix(line, []byte("cpu number")); !ok {
			if bytes.HasPrefix(line, []byte("# processors")) && bytes.IndexByte(line, ':') > 0 {
				return 0, countOfCPUs
			}
			return 0, otherLine
		}
	}
	f, after := kernelfs.Field(rest)
	if n, colon, ok := kernelfs.ParseUint(f); ok && string(colon) == ":" {
		return int(n), aloneForCPU
	}
	if len(f) == 1 && f[0] == ':' {
		f, after = kernelfs.Field(after)
		if n, more, ok := kernelfs.ParseUint(f); ok && len(more) == 0 && len(bytes.TrimSpace(after)) == 0 {
			return int(n), firstOfBlock
		}
	}
	return 0, otherLine
}
