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

// device finds or appends the entry of a device.
func device(list []DeviceIO, d Device) ([]DeviceIO, *DeviceIO) {
	for i := range list {
		if list[i].Device == d {
			return list, &list[i]
		}
	}
	list = append(list, DeviceIO{Device: d})
	return list, &list[len(list)-1]
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
	var d *DeviceIO
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
				list, d = device(list, dev)
				continue
			}
			if d == nil {
				return list, &ParseError{path, n, errFormat}
			}
			if err := d.set(string(key), value); err != nil {
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
		var d *DeviceIO
		list, d = device(list, dev)
		set(d, op, v)
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
