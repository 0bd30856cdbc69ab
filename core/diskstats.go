package core

import (
	"time"

	"lxcfs/kernelfs"
)

// renderDiskstats renders /proc/diskstats (Documentation/admin-guide/iostats.rst): the devices that
// the container used, under the host's names and in the host's order. A cgroup's io.stat counts
// operations and bytes; merges and times are 0 but under v1's CFQ scheduler, which counted them.
func renderDiskstats(v *View) error {
	cg, err := v.below(kernelfs.IO)
	if err != nil {
		return err
	}
	list, at, err := cg.IO(v.Snapshot, v.io)
	v.io = list
	if err != nil {
		return err
	}
	text, err := v.FS().Diskstats.Shared(v.Snapshot)
	if err != nil {
		return err
	}
	near := 0
	for len(text) > 0 {
		var line []byte
		line, text = kernelfs.Line(text)
		major, rest := kernelfs.Field(line)
		minor, rest := kernelfs.Field(rest)
		name, _ := kernelfs.Field(rest)
		ma, _, ok := kernelfs.ParseUint(major)
		mi, _, ok2 := kernelfs.ParseUint(minor)
		if !ok || !ok2 || len(name) == 0 || ma >= 1<<32 || mi >= 1<<32 {
			continue
		}
		i := kernelfs.FindDevice(list, kernelfs.Device{Major: uint32(ma), Minor: uint32(mi)}, near)
		if i < 0 {
			continue
		}
		near = i
		if d := &list[i]; d.Used() {
			v.diskLine(d, name)
			if v.why != nil {
				v.because(string(name), "%s", place(at))
			}
		}
	}
	return nil
}

func (v *View) diskLine(d *kernelfs.DeviceIO, name []byte) {
	v.number(uint64(d.Major))
	v.write("       ")
	v.number(uint64(d.Minor))
	v.write(" ")
	v.out = append(v.out, name...)
	v.ioCount(&d.Reads)
	v.ioCount(&d.Writes)
	v.write(" 0 ") // in flight
	v.number(uint64(d.Busy / time.Millisecond))
	v.write(" 0") // weighted
	v.ioCount(&d.Discards)
	v.write("\n")
}

// ioCount appends operations, merges, sectors of 512 bytes and milliseconds.
func (v *View) ioCount(c *kernelfs.IOCount) {
	for _, n := range [...]uint64{c.Ops, c.Merged, uint64(c.Bytes / 512), uint64(c.Time / time.Millisecond)} {
		v.write(" ")
		v.number(n)
	}
}
