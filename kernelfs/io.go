package kernelfs

import (
	"bytes"
	"time"
)

// Device is a block device's number.
type Device struct{ Major, Minor uint32 }

// DeviceIO is what a cgroup, its children included, did to a device since it was made.
type DeviceIO struct {
	Device
	Reads, Writes, Discards IOCount
	// Busy is the time the device worked for the cgroup; only v1's CFQ scheduler counts it.
	Busy time.Duration
}

// IOCount is one direction of a device's work.
type IOCount struct {
	Bytes  Bytes
	Ops    uint64
	Merged uint64        // v1 CFQ only
	Time   time.Duration // v1 CFQ only: waiting and being served
}

// IO appends to dst's memory what the cgroup did to each device: io.stat (v2), and on v1
// blkio.*_recursive of the CFQ scheduler or, without it (it left with Linux 5.0),
// blkio.throttle.*_recursive.
func (cg *Cgroup) IO(s *Snapshot, dst []DeviceIO) ([]DeviceIO, At, error) {
	return cg.Hierarchy.io(s, cg, dst[:0])
}

// FindDevice returns where d is in list, -1 if it is not there. It looks beside near first, where the last
// one was found: the kernel lists devices in the same order, or in the reverse, everywhere.
func FindDevice(list []DeviceIO, d Device, near int) int {
	for i := max(0, near-1); i < min(near+2, len(list)); i++ {
		if list[i].Device == d {
			return i
		}
	}
	for i := range list {
		if list[i].Device == d {
			return i
		}
	}
	return -1
}

// deviceSet says of a device that it is not in a list without looking through it: a set of 4096 bits by
// hash, in which two devices may share one.
type deviceSet [64]uint64

// add reports whether d may have been in the set before.
func (s *deviceSet) add(d Device) bool {
	h := (d.Major*0x9e3779b1 ^ d.Minor) * 0x85ebca6b >> 20
	word, bit := &s[h/64], uint64(1)<<(h%64)
	was := *word&bit != 0
	*word |= bit
	return was
}

func (s *deviceSet) addAll(list []DeviceIO) {
	for i := range list {
		s.add(list[i].Device)
	}
}

// device finds or appends the entry of a device. Seen has those in list.
func device(list []DeviceIO, d Device, near int, seen *deviceSet) ([]DeviceIO, int) {
	if near >= 0 && near < len(list) && list[near].Device == d {
		return list, near
	}
	if seen.add(d) {
		if i := FindDevice(list, d, near); i >= 0 {
			return list, i
		}
	}
	return append(list, DeviceIO{Device: d}), len(list)
}

// parseDevice reads "8:0".
func parseDevice(b []byte) (Device, bool) {
	major, rest, ok := ParseUint(b)
	if !ok || len(rest) < 2 || rest[0] != ':' || major >= 1<<32 {
		return Device{}, false
	}
	minor, rest, ok := ParseUint(rest[1:])
	return Device{uint32(major), uint32(minor)}, ok && len(rest) == 0 && minor < 1<<32
}

// parseIOStat reads v2's io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" and keys of
// other controllers. Some kernels print a device without counters and no newline after it
// ("7:0 8:0 rbytes=..."), so a device number starts an entry wherever it stands.
func parseIOStat(path string, text []byte, list []DeviceIO) ([]DeviceIO, error) {
	at := -1
	var seen deviceSet
	seen.addAll(list)
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text = Line(text)
		for {
			var f []byte
			if f, line = Field(line); len(f) == 0 {
				break
			}
			key, value, isKey := bytes.Cut(f, []byte{'='})
			if !isKey {
				dev, ok := parseDevice(f)
				if !ok {
					return list, &ParseError{path, n, errFormat}
				}
				list, at = device(list, dev, at, &seen)
				continue
			}
			if at < 0 {
				return list, &ParseError{path, n, errFormat}
			}
			if err := list[at].set(string(key), value); err != nil {
				return list, &ParseError{path, n, err}
			}
		}
	}
	return list, nil
}

// set stores one key of io.stat; unknown keys (cost.*) are other controllers' and skipped.
func (d *DeviceIO) set(key string, value []byte) error {
	v, rest, ok := ParseUint(value)
	number := func() error {
		if !ok || len(rest) != 0 {
			return errNumber
		}
		return nil
	}
	switch key {
	case "rbytes":
		d.Reads.Bytes = Bytes(v)
	case "wbytes":
		d.Writes.Bytes = Bytes(v)
	case "dbytes":
		d.Discards.Bytes = Bytes(v)
	case "rios":
		d.Reads.Ops = v
	case "wios":
		d.Writes.Ops = v
	case "dios":
		d.Discards.Ops = v
	default:
		return nil
	}
	return number()
}

// parseBlkio reads a v1 blkio file: "8:0 Read 1", "8:0 Write 2", "8:0 Discard 3", "8:0 Total 6" and a
// last line "Total 6". It calls set with the entry of the device, the operation and the number.
func parseBlkio(path string, text []byte, list []DeviceIO, set func(d *DeviceIO, op []byte, n uint64)) ([]DeviceIO, error) {
	at := 0
	var seen deviceSet
	seen.addAll(list)
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text = Line(text)
		first, rest := Field(line)
		if len(first) == 0 || string(first) == "Total" {
			continue
		}
		dev, ok := parseDevice(first)
		if !ok {
			return list, &ParseError{path, n, errFormat}
		}
		op, rest := Field(rest)
		num, _ := Field(rest)
		v, rest, ok := ParseUint(num)
		if !ok || len(rest) != 0 {
			return list, &ParseError{path, n, errNumber}
		}
		list, at = device(list, dev, at, &seen)
		set(&list[at], op, v)
	}
	return list, nil
}

// count returns the direction that blkio calls op, nil for sums.
func (d *DeviceIO) count(op []byte) *IOCount {
	switch string(op) {
	case "Read":
		return &d.Reads
	case "Write":
		return &d.Writes
	case "Discard":
		return &d.Discards
	}
	return nil
}

// Pressure returns the text of cpu.pressure, io.pressure or memory.pressure
// (Documentation/accounting/psi.rst). Resource is CPU, IO or Memory.
func (cg *Cgroup) Pressure(s *Snapshot, resource Controller) ([]byte, error) {
	return cg.read(s, psiName[resource])
}

// psiName is the pressure file of a resource.
var psiName = map[Controller]name{CPU: psiCPU, IO: psiIO, Memory: psiMemory}

// Used reports whether anything was done to the device.
func (d *DeviceIO) Used() bool {
	return d.Reads != (IOCount{}) || d.Writes != (IOCount{}) || d.Discards != (IOCount{}) || d.Busy != 0
}
