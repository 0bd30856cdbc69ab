package core

import (
	"bytes"

	"lxcfs/kernelfs"
)

// hostMemory is the host's /proc/meminfo, taken apart. A view keeps it from one rendering to the next:
// the text is shared for a while, and all that is then left to do is to compare it.
type hostMemory struct {
	text  []byte // what it was made from
	lines []hostLine

	total, swap, hugeSize         kernelfs.Bytes // MemTotal, SwapTotal, Hugepagesize
	hugeTotal, hugeFree, hugeRsvd uint64         // pages
}

// hostLine is a line of it.
type hostLine struct {
	label []byte
	own   *memLine // the container's, nil if no cgroup accounts it
	value uint64   // kB, or a count
	kb    bool
	text  []byte // the whole line
}

// hostMemory returns the host's /proc/meminfo.
func (v *View) hostMemory() (*hostMemory, error) {
	text, err := v.FS().Meminfo.Shared(v.Snapshot)
	if err != nil {
		return nil, err
	}
	h := &v.host
	if h.lines == nil || !bytes.Equal(text, h.text) {
		h.parse(text)
	}
	return h, nil
}

func (h *hostMemory) parse(text []byte) {
	before := h.lines
	*h = hostMemory{text: append(h.text[:0], text...), lines: h.lines[:0]}
	for rest := h.text; len(rest) > 0; {
		var line []byte
		line, rest = kernelfs.Line(rest)
		label, number, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue // not of the documented form, and not worth losing the file for
		}
		l := hostLine{label: label, text: line}
		// A kernel always prints the same labels in the same order. Looking them up took 2 to 9 % of a read that comes alone.
		if n := len(h.lines); n < len(before) && before[n].own != nil && before[n].own.label == string(label) {
			l.own = before[n].own
		} else {
			l.own = memLabels[string(label)]
		}
		f, unit := kernelfs.Field(number)
		if n, _, ok := kernelfs.ParseUint(f); ok && n <= 1<<53 {
			l.value = n
		}
		l.kb = bytes.HasSuffix(unit, []byte(" kB"))
		h.lines = append(h.lines, l)
		switch string(label) {
		case "MemTotal":
			h.total = kernelfs.Bytes(l.value) << 10
		case "SwapTotal":
			h.swap = kernelfs.Bytes(l.value) << 10
		case "Hugepagesize":
			h.hugeSize = kernelfs.Bytes(l.value) << 10
		case "HugePages_Total":
			h.hugeTotal = l.value
		case "HugePages_Free":
			h.hugeFree = l.value
		case "HugePages_Rsvd":
			h.hugeRsvd = l.value
		}
	}
}
