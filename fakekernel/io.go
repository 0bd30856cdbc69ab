package fakekernel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ioCounts is what went to one device.
type ioCounts struct {
	rbytes, wbytes, dbytes, rios, wios, dios int64
}

func (a *ioCounts) add(b ioCounts) {
	a.rbytes += b.rbytes
	a.wbytes += b.wbytes
	a.dbytes += b.dbytes
	a.rios += b.rios
	a.wios += b.wios
	a.dios += b.dios
}

// ioGroup is the io or blkio controller's state: by disk, in order of first use.
type ioGroup struct {
	devices []*disk
	local   map[*disk]*ioCounts
	total   map[*disk]*ioCounts
	limits  map[*disk]string
}

// disk is a block device with its history since boot.
type disk struct {
	name         string
	major, minor int
	whole        *disk // of a partition
	since        ioCounts
	ms           [3]int64 // spent reading, writing, discarding
	limited      bool     // by some cgroup, once
}

func (d *disk) dev() string { return strconv.Itoa(d.major) + ":" + strconv.Itoa(d.minor) }

// majors are block majors by prefix of the name (Documentation/admin-guide/devices.txt), and minors per disk.
var majors = []struct {
	prefix  string
	major   int
	spacing int
	letters bool
}{
	{"sd", 8, 16, true}, {"vd", 254, 16, true}, {"xvd", 202, 16, true}, {"nvme", 259, 8, false}, {"dm-", 253, 1, false},
	{"zram", 252, 1, false}, {"loop", 7, 1, false}, {"md", 9, 1, false}, {"mmcblk", 179, 8, false},
}

// newDisk knows the numbers a name has: sdb is 8:16, sdb1 8:17, nvme1n1p2 259:10.
func newDisk(name string) (*disk, error) {
	for _, t := range majors {
		rest, ok := strings.CutPrefix(name, t.prefix)
		if !ok || rest == "" {
			continue
		}
		index, part := 0, 0
		if t.letters {
			letters := strings.TrimRight(rest, "0123456789")
			for _, c := range letters {
				index = index*26 + int(c-'a') + 1
			}
			index--
			if letters != rest {
				part, _ = strconv.Atoi(rest[len(letters):])
			}
		} else {
			digits := rest
			if before, after, ok := strings.Cut(rest, "p"); ok {
				part, _ = strconv.Atoi(after)
				digits = before
			}
			digits, _, _ = strings.Cut(digits, "n")
			var err error
			if index, err = strconv.Atoi(digits); err != nil {
				return nil, fmt.Errorf("disk %q: want a name such as sda, vdb1, nvme0n1 or dm-3", name)
			}
		}
		minor := index*t.spacing + part
		major := t.major
		if t.prefix == "sd" && minor > 255 {
			major, minor = 64+minor/256, minor%256
		}
		return &disk{name: name, major: major, minor: minor}, nil
	}
	return nil, fmt.Errorf("disk %q: want a name such as sda, vdb1, nvme0n1 or dm-3", name)
}

func (m *machine) bootDisks() error {
	names := m.Disks
	if m.Swap > 0 {
		names = append(names[:len(names):len(names)], "zram0")
	}
	for i, name := range names {
		d, err := newDisk(name)
		if err != nil {
			return err
		}
		for _, w := range m.disks {
			if rest, ok := strings.CutPrefix(name, w.name); ok && strings.Trim(rest, "p0123456789") == "" {
				d.whole = w
			}
		}
		n := int64(i + 1)
		root := m.ioRoot()
		c := ioCounts{rbytes: 4096 * (907 + 13*n), wbytes: 4096 * (503 + 7*n), rios: 211 + 5*n, wios: 101 + 3*n}
		m.disks = append(m.disks, d)
		m.io(root, d, c)
	}
	return nil
}

func (m *machine) ioRoot() *cgroup { return m.with("io").root }

// io books c to the device, the disk it is a part of, and to cg and its ancestors. The whole disk is what cgroups count.
func (m *machine) io(cg *cgroup, d *disk, c ioCounts) {
	whole := d
	for ; ; whole = whole.whole {
		whole.since.add(c)
		whole.ms[0] += c.rios + c.rbytes>>18
		whole.ms[1] += 2*c.wios + c.wbytes>>17
		whole.ms[2] += c.dios
		if whole.whole == nil {
			break
		}
	}
	if !cg.h.v2 {
		if m.version >= v6_10 && !whole.limited {
			return // the throttling policy is not there before some cgroup has had a limit for the disk
		}
		c = m.counted(cg, whole, c)
	}
	for g := range cg.up {
		if g.io.total[whole] == nil {
			if g.io.total == nil {
				g.io.total, g.io.local = map[*disk]*ioCounts{}, map[*disk]*ioCounts{}
			}
			g.io.total[whole], g.io.local[whole] = &ioCounts{}, &ioCounts{}
			g.io.devices = append(g.io.devices, whole)
		}
		g.io.total[whole].add(c)
	}
	cg.io.local[whole].add(c)
}

// counted is what of c the throttling policy counts on v1, block/blk-throttle.c: from 5.16 to 6.4 only what the cgroup itself has a
// limit for.
func (m *machine) counted(cg *cgroup, d *disk, c ioCounts) ioCounts {
	if m.version < v5_16 || m.version >= v6_5 {
		return c
	}
	limited := func(words ...string) bool {
		return slices.ContainsFunc(strings.Fields(cg.io.limits[d]), func(w string) bool {
			name, v, _ := strings.Cut(w, "=")
			return slices.Contains(words, name) && v != "max"
		})
	}
	if !limited("rbps", "riops") {
		c.rbytes, c.rios = 0, 0
	}
	if !limited("wbps", "wiops") {
		c.wbytes, c.wios, c.dbytes, c.dios = 0, 0, 0, 0
	}
	return c
}

// IO is the verb io: a process, or a cgroup, reads or writes a disk: read=10M write=4K discard=1M, in requests of 128 KiB
// unless reads=N, writes=N, discards=N says how many.
func (k *Kernel) IO(target, device string, options ...string) error {
	return k.change(func(m *machine) error {
		cg, _, err := m.target("io", target)
		if err != nil {
			return err
		}
		d := m.disk(device)
		if d == nil {
			return fmt.Errorf("io: no disk %s", device)
		}
		opts, err := parseOptions(options)
		if err != nil {
			return err
		}
		var c ioCounts
		for _, o := range opts {
			n, err := parseSize(o.value)
			if err != nil || n < 0 {
				return fmt.Errorf("io %s=%s: want a size", o.name, o.value)
			}
			switch o.name {
			case "read":
				c.rbytes = n
			case "write":
				c.wbytes = n
			case "discard":
				c.dbytes = n
			case "reads":
				c.rios = n
			case "writes":
				c.wios = n
			case "discards":
				c.dios = n
			default:
				return fmt.Errorf("option %s: want read, write, discard, reads, writes or discards", o.name)
			}
		}
		const request = 128 << 10
		for _, p := range []struct{ n, bytes *int64 }{{&c.rios, &c.rbytes}, {&c.wios, &c.wbytes}, {&c.dios, &c.dbytes}} {
			if *p.n == 0 {
				*p.n = (*p.bytes + request - 1) / request
			}
		}
		m.io(cg, d, c)
		return nil
	})
}

func (m *machine) disk(name string) *disk {
	for _, d := range m.disks {
		if d.name == name || d.dev() == name {
			return d
		}
	}
	return nil
}

// diskstats writes /proc/diskstats (block/genhd.c): sectors of 512 bytes, times in milliseconds.
func (m *machine) diskstats(b []byte) []byte {
	for _, d := range m.disks {
		c := d.since
		b = fmt.Appendf(b, "%4d %7d %s %d 0 %d %d %d 0 %d %d 0 %d %d %d 0 %d %d", d.major, d.minor, d.name,
			c.rios, c.rbytes/512, d.ms[0], c.wios, c.wbytes/512, d.ms[1],
			d.ms[0]+d.ms[1]+d.ms[2], d.ms[0]+d.ms[1]+d.ms[2], c.dios, c.dbytes/512, d.ms[2])
		if m.version >= v5_5 {
			b = append(b, " 0 0"...) // flush requests, since 5.5
		}
		b = append(b, '\n')
	}
	return b
}

// ioStat writes io.stat of a v2 cgroup.
func ioStat(_ *machine, cg *cgroup, b []byte) []byte {
	for _, d := range cg.io.devices {
		c := cg.io.total[d]
		b = fmt.Appendf(b, "%s rbytes=%d wbytes=%d rios=%d wios=%d dbytes=%d dios=%d\n", d.dev(), c.rbytes, c.wbytes, c.rios, c.wios, c.dbytes, c.dios)
	}
	return b
}

// blkioStat makes a v1 blkio counter file: one row per device and kind, then the sum.
func blkioStat(recursive, bytes bool) func(*machine, *cgroup, []byte) []byte {
	return func(_ *machine, cg *cgroup, b []byte) []byte {
		var sum int64
		for _, d := range cg.io.devices {
			c := cg.io.local[d]
			if recursive {
				c = cg.io.total[d]
			}
			r, w, x := c.rios, c.wios, c.dios
			if bytes {
				r, w, x = c.rbytes, c.wbytes, c.dbytes
			}
			total := r + w + x
			sum += total
			dev := d.dev()
			b = fmt.Appendf(b, "%s Read %d\n%s Write %d\n%s Sync %d\n%s Async 0\n%s Discard %d\n%s Total %d\n", dev, r, dev, w, dev, r+w, dev, dev, x, dev, total)
		}
		return fmt.Appendf(b, "Total %d\n", sum)
	}
}

// cfqStat makes one of the files CFQ kept until 5.0: times in nanoseconds, or merges.
func cfqStat(perRead, perWrite int64) func(*machine, *cgroup, []byte) []byte {
	return func(_ *machine, cg *cgroup, b []byte) []byte {
		var sum int64
		for _, d := range cg.io.devices {
			c := cg.io.total[d]
			r, w := c.rios*perRead, c.wios*perWrite
			sum += r + w
			dev := d.dev()
			b = fmt.Appendf(b, "%s Read %d\n%s Write %d\n%s Sync %d\n%s Async 0\n%s Discard 0\n%s Total %d\n", dev, r, dev, w, dev, r+w, dev, dev, dev, r+w)
		}
		return fmt.Appendf(b, "Total %d\n", sum)
	}
}
