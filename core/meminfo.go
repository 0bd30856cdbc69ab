package core

import (
	"errors"
	"fmt"
	"strings"

	"lxcfs/kernelfs"
)

// term is one step of a line's formula: an operation and a source.
type term struct {
	op  byte // '+', '-' or, for at most, '<'
	src source
}

// source is a counter of memory.stat (a kernelfs.MemKey) or one of the following.
type source uint8

const (
	srcTotal source = source(kernelfs.NMemKeys) + iota
	srcUsage
	srcSwapTotal
	srcSwapUsed
	srcHost // the line of the host's file
	srcHugeTotal
	srcHugeFree
	srcHugeReserved
	srcHugeSurplus
	srcHugeSize
)

// memLine is a line of /proc/meminfo that is the container's: its formula, evaluated from left to
// right, stopping at 0.
type memLine struct {
	label string
	terms []term
	doc   string
}

func plus[T source | kernelfs.MemKey](keys ...T) []term {
	var t []term
	for _, k := range keys {
		t = append(t, term{'+', source(k)})
	}
	return t
}

// memLines is what is known of each line. A line of the host's file that is not listed here is the
// host's, but never more than MemTotal: no cgroup accounts it.
var memLines = []memLine{
	{"MemTotal", plus(srcTotal), "the smallest memory limit up the tree, at most the host's MemTotal"},
	{"MemFree", []term{{'+', srcTotal}, {'-', srcUsage}}, "the usage is that of the cgroup whose limit binds, siblings below it included"},
	{
		"MemAvailable",
		[]term{{'+', srcTotal}, {'-', srcUsage}, {'+', source(kernelfs.ActiveFile)}, {'+', source(kernelfs.InactiveFile)}, {'+', source(kernelfs.SlabReclaimable)}},
		"what is free, and what reclaim would free",
	},
	{"Buffers", nil, "0: block device pages are part of a cgroup's file pages"},
	{"Cached", plus(kernelfs.FileCache), ""},
	{"SwapCached", plus(kernelfs.SwapCached), ""},
	{"Active", plus(kernelfs.ActiveAnon, kernelfs.ActiveFile), ""},
	{"Inactive", plus(kernelfs.InactiveAnon, kernelfs.InactiveFile), ""},
	{"Active(anon)", plus(kernelfs.ActiveAnon), ""},
	{"Inactive(anon)", plus(kernelfs.InactiveAnon), ""},
	{"Active(file)", plus(kernelfs.ActiveFile), ""},
	{"Inactive(file)", plus(kernelfs.InactiveFile), ""},
	{"Unevictable", plus(kernelfs.Unevictable), ""},
	{"Mlocked", []term{{'+', srcHost}, {'<', source(kernelfs.Unevictable)}}, "pages locked by mlock(2) are unevictable; no cgroup counts them apart"},
	{"SwapTotal", plus(srcSwapTotal), "see swapModel"},
	{"SwapFree", []term{{'+', srcSwapTotal}, {'-', srcSwapUsed}}, ""},
	{"Zswap", plus(kernelfs.Zswap), ""},
	{"Zswapped", plus(kernelfs.Zswapped), ""},
	{"Dirty", plus(kernelfs.FileDirty), ""},
	{"Writeback", plus(kernelfs.FileWriteback), ""},
	{"AnonPages", plus(kernelfs.Anon), ""},
	{"Mapped", plus(kernelfs.FileMapped), ""},
	{"Shmem", plus(kernelfs.Shmem), ""},
	{"KReclaimable", plus(kernelfs.SlabReclaimable), ""},
	{"Slab", plus(kernelfs.SlabReclaimable, kernelfs.SlabUnreclaimable), ""},
	{"SReclaimable", plus(kernelfs.SlabReclaimable), ""},
	{"SUnreclaim", plus(kernelfs.SlabUnreclaimable), ""},
	{"KernelStack", plus(kernelfs.KernelStack), ""},
	{"PageTables", plus(kernelfs.PageTables), ""},
	{"SecPageTables", plus(kernelfs.SecPageTables), ""},
	{"VmallocUsed", plus(kernelfs.Vmalloc), ""},
	{"Percpu", plus(kernelfs.Percpu), ""},
	{"AnonHugePages", plus(kernelfs.AnonTHP), ""},
	{"ShmemHugePages", plus(kernelfs.ShmemTHP), ""},
	{"ShmemPmdMapped", nil, "0: not accounted per cgroup"},
	{"FileHugePages", plus(kernelfs.FileTHP), ""},
	{"FilePmdMapped", nil, "0: not accounted per cgroup"},
	{"HugePages_Total", plus(srcHugeTotal), "pages; the hugetlb limit, at most the host's pool"},
	{"HugePages_Free", plus(srcHugeFree), "pages; at most the host's"},
	{"HugePages_Rsvd", plus(srcHugeReserved), "pages"},
	{"HugePages_Surp", plus(srcHugeSurplus), "pages; 0: a cgroup does not know which are surplus"},
	{"Hugetlb", plus(srcHugeSize), "HugePages_Total x Hugepagesize"},
}

// memLabels finds a line by its label.
var memLabels = func() map[string]*memLine {
	m := map[string]*memLine{}
	for i := range memLines {
		m[memLines[i].label] = &memLines[i]
	}
	return m
}()

// renderMeminfo renders /proc/meminfo (proc_meminfo(5)): the host's labels in the host's order, in the
// kernel's columns, each with the container's value.
func renderMeminfo(v *View) error {
	host, err := v.hostMemory()
	if err != nil {
		return err
	}
	m, err := v.memoryModel(host)
	if err != nil {
		return err
	}
	if m.stat, err = m.cgroup.MemoryStat(v.Snapshot); err != nil {
		return err
	}
	huge, err := v.hugePages(host, m)
	if err != nil {
		return err
	}
	for i := range host.lines {
		h := &host.lines[i]
		l := h.own
		if l == nil {
			v.hostMemLine(h, m)
			continue
		}
		if s := l.pages(); s != 0 {
			v.memLine(h.label, huge[s-srcHugeTotal], false)
			if v.why != nil {
				v.because(l.label, "%s", l.doc)
			}
			continue
		}
		m.hostLine = kernelfs.Bytes(h.value) << 10
		n := v.evaluate(l, m, &huge)
		v.memLine(h.label, n.KB(), true)
		if v.why != nil {
			v.because(l.label, "%s", v.formula(l, m, n))
		}
	}
	return nil
}

// pages returns the line's source if it counts pages, not kilobytes.
func (l *memLine) pages() source {
	if len(l.terms) == 1 && l.terms[0].src >= srcHugeTotal && l.terms[0].src < srcHugeSize {
		return l.terms[0].src
	}
	return 0
}

// evaluate computes a line. Nothing is more than MemTotal but swap, and no swap more than SwapTotal.
func (v *View) evaluate(l *memLine, m *memory, huge *hugePages) kernelfs.Bytes {
	var n kernelfs.Bytes
	bound := m.total
	for _, t := range l.terms {
		x := v.value(t.src, m, huge)
		switch t.op {
		case '+':
			n = n.Add(x)
		case '-':
			n = n.Sub(x)
		case '<':
			n = min(n, x)
		}
		if t.src == srcSwapTotal || t.src == source(kernelfs.Zswapped) {
			bound = m.swapTotal
		}
	}
	return min(n, bound)
}

func (v *View) value(s source, m *memory, huge *hugePages) kernelfs.Bytes {
	switch s {
	case srcTotal:
		return m.total
	case srcUsage:
		return m.limit.Usage
	case srcSwapTotal:
		return m.swapTotal
	case srcSwapUsed:
		return m.swapUsed
	case srcHost:
		return m.hostLine
	case srcHugeSize:
		return kernelfs.Bytes(huge[srcHugeSize-srcHugeTotal])
	case source(kernelfs.Zswap), source(kernelfs.Zswapped):
		if v.core.opt.NoZswap {
			return 0
		}
	}
	return m.stat.Bytes[s]
}

// formula prints a line's evaluation: "55296 kB = limit 65536 kB (/lxc/web memory.max) - usage 10240 kB
// (/lxc/web memory.current)".
func (v *View) formula(l *memLine, m *memory, n kernelfs.Bytes) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d kB =", n.KB())
	for i, t := range l.terms {
		if t.op == '<' {
			b.WriteString(", at most")
		} else if i > 0 {
			fmt.Fprintf(&b, " %c", t.op)
		}
		kb := v.value(t.src, m, &hugePages{}).KB()
		switch t.src {
		case srcTotal:
			if m.limit.Limit == m.total {
				fmt.Fprintf(&b, " limit %d kB (%s)", kb, place(m.limit.LimitAt))
			} else {
				fmt.Fprintf(&b, " host's MemTotal %d kB (/proc/meminfo; no lower limit above %s)", kb, m.cgroup.Path)
			}
		case srcUsage:
			fmt.Fprintf(&b, " usage %d kB (%s)", kb, place(m.limit.UsageAt))
		case srcSwapTotal:
			fmt.Fprintf(&b, " %d kB, %s", kb, m.swapWhy)
		case srcSwapUsed:
			fmt.Fprintf(&b, " %d kB in use", kb)
			if m.swap.Accounted {
				fmt.Fprintf(&b, " (%s)", place(m.swap.UsageAt))
			}
		case srcHost:
			fmt.Fprintf(&b, " the host's %d kB (/proc/meminfo)", kb)
		case srcHugeSize:
			b.WriteString(" " + l.doc)
		default:
			key := kernelfs.MemKey(t.src)
			name := key.Name(m.cgroup.Hierarchy.Version)
			if name == "" {
				fmt.Fprintf(&b, " 0 kB (not accounted by cgroup v%d)", m.cgroup.Hierarchy.Version)
				continue
			}
			fmt.Fprintf(&b, " %s %d kB (%s memory.stat)", name, kb, m.cgroup.Path)
		}
	}
	if l.terms == nil {
		b.WriteString(" " + l.doc)
	}
	return b.String()
}

// hostMemLine appends a line that no cgroup accounts: the host's, but never more than MemTotal.
func (v *View) hostMemLine(h *hostLine, m *memory) {
	if !h.kb {
		v.out = append(append(v.out, h.text...), '\n')
		return
	}
	n := min(h.value, m.total.KB())
	v.memLine(h.label, n, true)
	if v.why != nil {
		v.because(string(h.label), "%d kB = the host's %d kB (/proc/meminfo), at most MemTotal: no cgroup accounts it", n, h.value)
	}
}

const (
	memColumn = 24 // where a line's number ends, unless it is too long
	memBlanks = "                        "
)

// memLine appends a line in the kernel's columns: the label and blanks fill 16 or, if it is long, end in
// one blank.
func (v *View) memLine(label []byte, n uint64, kb bool) {
	var digits [20]byte
	at := len(digits)
	for {
		at--
		digits[at] = byte('0' + n%10)
		if n /= 10; n == 0 {
			break
		}
	}
	number := digits[at:]
	used := len(label) + len(":")
	blanks := max(16-used, 1, memColumn-used-len(number))
	v.out = append(append(append(append(v.out, label...), ':'), memBlanks[:blanks]...), number...)
	if kb {
		v.write(" kB")
	}
	v.write("\n")
}

// hugePages are the values of srcHugeTotal and following: pages, and bytes for the last.
type hugePages [srcHugeSize - srcHugeTotal + 1]uint64

// hugePages asks the hugetlb controller, if the host has a pool of huge pages at all.
func (v *View) hugePages(host *hostMemory, m *memory) (h hugePages, err error) {
	size := host.hugeSize
	if host.hugeTotal == 0 || size == 0 {
		return h, nil
	}
	total, free, reserved := host.hugeTotal, host.hugeFree, host.hugeRsvd
	cg, err := v.below(kernelfs.HugeTLB)
	if err == nil {
		var p kernelfs.HugePages
		p, err = cg.HugePages(v.Snapshot, hugeName(size))
		if err == nil {
			total = min(total, uint64(p.Limit/size))
			free = min(free, uint64(kernelfs.Bytes(total*uint64(size)).Sub(p.Usage)/size))
			reserved = uint64(p.Reserved.Sub(p.Usage) / size)
		}
	}
	if err != nil && !errors.Is(err, errHost) && !kernelfs.Missing(err) {
		return h, err
	}
	total = min(total, uint64(m.total/size))
	free = min(free, total)
	reserved = min(reserved, free)
	return hugePages{total, free, reserved, 0, total * uint64(size)}, nil
}

// hugeName spells a page size as the hugetlb controller's files do (include/linux/hugetlb.h).
func hugeName(size kernelfs.Bytes) string {
	switch {
	case size >= 1<<30:
		return fmt.Sprintf("%dGB", size>>30)
	case size >= 1<<20:
		return fmt.Sprintf("%dMB", size>>20)
	}
	return fmt.Sprintf("%dKB", size>>10)
}
