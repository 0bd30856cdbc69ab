package kernelfs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIOStat(t *testing.T) {
	const path = "/sys/fs/cgroup/x/io.stat"
	for _, tc := range []struct {
		reason string
		text   string
		want   []DeviceIO
		err    string
	}{
		{
			"every key",
			"8:16 rbytes=101 wbytes=102 rios=103 wios=104 dbytes=105 dios=106\n",
			[]DeviceIO{{Device: Device{8, 16}, Reads: IOCount{Bytes: 101, Ops: 103}, Writes: IOCount{Bytes: 102, Ops: 104}, Discards: IOCount{Bytes: 105, Ops: 106}}},
			"",
		},
		{
			"keys of other controllers",
			"8:0 rbytes=1 cost.usage=900 cost.vrate=100.00 wios=2\n",
			[]DeviceIO{{Device: Device{8, 0}, Reads: IOCount{Bytes: 1}, Writes: IOCount{Ops: 2}}},
			"",
		},
		{
			"a device without counters stands before the next on one line, as some kernels print it",
			"7:0 7:1 253:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n",
			[]DeviceIO{
				{Device: Device{7, 0}}, {Device: Device{7, 1}},
				{Device: Device{253, 0}, Reads: IOCount{Bytes: 1, Ops: 3}, Writes: IOCount{Bytes: 2, Ops: 4}, Discards: IOCount{Bytes: 5, Ops: 6}},
			},
			"",
		},
		{
			"a counters' line that ends in another device",
			"8:0 rbytes=1 8:1\n8:2 wios=3\n",
			[]DeviceIO{{Device: Device{8, 0}, Reads: IOCount{Bytes: 1}}, {Device: Device{8, 1}}, {Device: Device{8, 2}, Writes: IOCount{Ops: 3}}},
			"",
		},
		{"the same device twice is one", "8:0 rbytes=1\n8:0 wbytes=2\n", []DeviceIO{{Device: Device{8, 0}, Reads: IOCount{Bytes: 1}, Writes: IOCount{Bytes: 2}}}, ""},
		{"large numbers of a device", "4294967295:4294967295 rios=18446744073709551615\n", []DeviceIO{{Device: Device{1<<32 - 1, 1<<32 - 1}, Reads: IOCount{Ops: 1<<64 - 1}}}, ""},
		{"nothing was read or written", "", nil, ""},
		{"a key without device", "rbytes=1\n", nil, path + ":1: not the documented format"},
		{"no device number", "8:0 rbytes=1\nsda rbytes=1\n", nil, path + ":2: not the documented format"},
		{"half a device number", "8: rbytes=1\n", nil, path + ":1: not the documented format"},
		{"a device number with a tail", "8:0x rbytes=1\n", nil, path + ":1: not the documented format"},
		{"a major that cannot be", "4294967296:0 rbytes=1\n", nil, path + ":1: not the documented format"},
		{"a minor that cannot be", "8:4294967296 rbytes=1\n", nil, path + ":1: not the documented format"},
		{"no number", "8:0 rbytes=1\n8:1 wbytes=x\n", nil, path + ":2: not a number"},
		{"a number with a tail", "8:0 dios=1k\n", nil, path + ":1: not a number"},
		{"a number beyond 64 bits", "8:0 rios=18446744073709551616\n", nil, path + ":1: not a number"},
	} {
		s := snapshot(t, unified+"-- sys/fs/cgroup/x/io.stat --\n"+tc.text)
		got, at, err := groupOf(t, s, IO, "/x").IO(s, []DeviceIO{{Device: Device{9, 9}, Busy: 9}})
		if errText(err) != tc.err {
			t.Errorf("%s: IO: %q, want %q", tc.reason, errText(err), tc.err)
		}
		if err != nil {
			continue
		}
		if where(0, at).At != "/x io.stat" {
			t.Errorf("%s: read at %q", tc.reason, where(0, at).At)
		}
		if diff := cmp.Diff(tc.want, append([]DeviceIO(nil), got...)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
		}
	}
	s := snapshot(t, unified)
	if _, _, err := groupOf(t, s, IO, "/x").IO(s, nil); !Missing(err) {
		t.Errorf("IO of a cgroup without the controller: %v, want it missing", err)
	}
}

// blkio is what each file of v1's blkio controller may hold.
const (
	blkioDir = "sys/fs/cgroup/blkio/x/blkio."
	throttle = "-- " + blkioDir + "throttle.io_service_bytes_recursive --\n8:16 Read 101\n8:16 Write 102\n8:16 Sync 900\n8:16 Async 901\n8:16 Discard 103\n8:16 Total 902\n8:0 Read 104\nTotal 903\n" +
		"-- " + blkioDir + "throttle.io_serviced_recursive --\n8:16 Read 201\n8:16 Write 202\n8:16 Discard 203\n8:16 Total 904\n9:0 Write 204\nTotal 905\n"
	cfqFiles = "-- " + blkioDir + "io_service_bytes_recursive --\n8:0 Read 301\n8:0 Write 302\n8:0 Discard 303\n8:0 Total 906\nTotal 906\n" +
		"-- " + blkioDir + "io_serviced_recursive --\n8:0 Read 311\n8:0 Write 312\n8:0 Discard 313\n8:0 Total 936\n" +
		"-- " + blkioDir + "io_merged_recursive --\n8:0 Read 321\n8:0 Write 322\n8:0 Discard 323\n8:0 Total 966\n" +
		"-- " + blkioDir + "io_wait_time_recursive --\n8:0 Read 1900000\n8:0 Write 2900000\n8:0 Discard 3900000\n8:0 Total 8700000\n" +
		"-- " + blkioDir + "io_service_time_recursive --\n8:0 Read 10800000\n8:0 Write 20800000\n8:0 Discard 30800000\n8:0 Total 62400001\n"
)

// Devices are listed in another order by each file: the entry is found wherever it is.
func TestDevice(t *testing.T) {
	list := []DeviceIO{{Device: Device{8, 0}}, {Device: Device{8, 16}}, {Device: Device{252, 0}}}
	var seen deviceSet
	seen.addAll(list)
	for near := -1; near <= len(list); near++ {
		for want := range list {
			if after, got := device(list, list[want].Device, near, &seen); got != want || len(after) != len(list) {
				t.Errorf("device %v near %d = %d of %d, want %d of %d", list[want].Device, near, got, len(after), want, len(list))
			}
		}
	}
	if after, got := device(list, Device{9, 0}, 0, &seen); got != 3 || len(after) != 4 || after[3].Device != (Device{9, 0}) {
		t.Errorf("a new device = %d of %d, want 3 of 4", got, len(after))
	}
}

func TestBlkio(t *testing.T) {
	const ms = time.Millisecond
	throttled := []DeviceIO{
		{Device: Device{8, 16}, Reads: IOCount{Bytes: 101, Ops: 201}, Writes: IOCount{Bytes: 102, Ops: 202}, Discards: IOCount{Bytes: 103, Ops: 203}},
		{Device: Device{8, 0}, Reads: IOCount{Bytes: 104}},
		{Device: Device{9, 0}, Writes: IOCount{Ops: 204}},
	}
	for _, tc := range []struct {
		reason  string
		archive string
		want    []DeviceIO
		file    string
		err     string
	}{
		{"since Linux 5.0 only the throttle counters", throttle, throttled, "blkio.throttle.io_service_bytes_recursive", ""},
		{
			"CFQ: both times are cut to milliseconds, then added",
			cfqFiles,
			[]DeviceIO{{
				Device: Device{8, 0},
				Reads:  IOCount{301, 311, 321, 11 * ms}, Writes: IOCount{302, 312, 322, 22 * ms}, Discards: IOCount{303, 313, 323, 33 * ms},
				Busy: 62400001 * time.Nanosecond,
			}},
			"blkio.io_service_bytes_recursive", "",
		},
		{"CFQ is preferred", throttle + cfqFiles, []DeviceIO{{
			Device: Device{8, 0},
			Reads:  IOCount{301, 311, 321, 11 * ms}, Writes: IOCount{302, 312, 322, 22 * ms}, Discards: IOCount{303, 313, 323, 33 * ms},
			Busy: 62400001 * time.Nanosecond,
		}}, "blkio.io_service_bytes_recursive", ""},
		{"half of CFQ's files are none", throttle + "-- " + blkioDir + "io_service_bytes_recursive --\n7:7 Read 1\n", throttled, "blkio.throttle.io_service_bytes_recursive", ""},
		{"no device was used", "-- " + blkioDir + "throttle.io_service_bytes_recursive --\nTotal 0\n-- " + blkioDir + "throttle.io_serviced_recursive --\nTotal 0\n", nil, "blkio.throttle.io_service_bytes_recursive", ""},
		{"a blank line", "-- " + blkioDir + "throttle.io_service_bytes_recursive --\n\n8:0 Read 5\n-- " + blkioDir + "throttle.io_serviced_recursive --\n", []DeviceIO{{Device: Device{8, 0}, Reads: IOCount{Bytes: 5}}}, "blkio.throttle.io_service_bytes_recursive", ""},
		{"neither", "", nil, "", "read /" + blkioDir + "throttle.io_service_bytes_recursive: file does not exist"},
		{"one of the throttle counters", "-- " + blkioDir + "throttle.io_service_bytes_recursive --\n", nil, "", "read /" + blkioDir + "throttle.io_serviced_recursive: file does not exist"},
		{"CFQ unreadable", "-- " + blkioDir + "io_service_bytes_recursive ! EIO --\n" + throttle, nil, "", "read /" + blkioDir + "io_service_bytes_recursive: input/output error"},
		{"CFQ odd", "-- " + blkioDir + "io_service_bytes_recursive --\n8:0 Read\n" + throttle, nil, "", "/" + blkioDir + "io_service_bytes_recursive:1: not a number"},
		{"no device", "-- " + blkioDir + "throttle.io_service_bytes_recursive --\n8:0 Read 1\nsda Read 1\n", nil, "", "/" + blkioDir + "throttle.io_service_bytes_recursive:2: not the documented format"},
		{"a number with a tail", "-- " + blkioDir + "throttle.io_service_bytes_recursive --\n8:0 Read 1k\n", nil, "", "/" + blkioDir + "throttle.io_service_bytes_recursive:1: not a number"},
	} {
		s := snapshot(t, legacy+tc.archive)
		got, at, err := groupOf(t, s, IO, "/x").IO(s, []DeviceIO{{Device: Device{9, 9}, Busy: 9}})
		if errText(err) != tc.err {
			t.Errorf("%s: IO: %q, want %q", tc.reason, errText(err), tc.err)
		}
		if err != nil {
			continue
		}
		if at.File() != tc.file {
			t.Errorf("%s: read at %q, want %q", tc.reason, at.File(), tc.file)
		}
		if diff := cmp.Diff(tc.want, append([]DeviceIO(nil), got...)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
		}
	}
}

func TestBlkioTimesDoNotWrap(t *testing.T) {
	huge := "-- " + blkioDir + "io_service_bytes_recursive --\n-- " + blkioDir + "io_serviced_recursive --\n-- " + blkioDir + "io_merged_recursive --\n" +
		"-- " + blkioDir + "io_wait_time_recursive --\n8:0 Read 18446744073709551615\n" +
		"-- " + blkioDir + "io_service_time_recursive --\n8:0 Read 18446744073709551615\n8:0 Total 18446744073709551615\n"
	s := snapshot(t, legacy+huge)
	got, _, err := groupOf(t, s, IO, "/x").IO(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Reads.Time <= 0 || got[0].Busy <= 0 {
		t.Errorf("times %v and %v, want them positive", got[0].Reads.Time, got[0].Busy)
	}
}

func TestUsed(t *testing.T) {
	for _, tc := range []struct {
		d    DeviceIO
		want bool
	}{
		{DeviceIO{Device: Device{8, 0}}, false},
		{DeviceIO{Reads: IOCount{Ops: 1}}, true},
		{DeviceIO{Writes: IOCount{Bytes: 1}}, true},
		{DeviceIO{Discards: IOCount{Merged: 1}}, true},
		{DeviceIO{Reads: IOCount{Time: 1}}, true},
		{DeviceIO{Busy: 1}, true},
	} {
		if got := tc.d.Used(); got != tc.want {
			t.Errorf("%+v.Used() = %v, want %v", tc.d, got, tc.want)
		}
	}
}

func TestPressure(t *testing.T) {
	s := snapshot(t, unified+`
-- sys/fs/cgroup/x/cpu.pressure --
some avg10=1.00 avg60=2.00 avg300=3.00 total=4
-- sys/fs/cgroup/x/io.pressure --
some avg10=5.00 avg60=6.00 avg300=7.00 total=8
-- sys/fs/cgroup/x/memory.pressure ! EOPNOTSUPP --
`)
	cg := groupOf(t, s, PSI, "/x")
	for resource, want := range map[Controller]string{CPU: "some avg10=1.00 avg60=2.00 avg300=3.00 total=4\n", IO: "some avg10=5.00 avg60=6.00 avg300=7.00 total=8\n"} {
		if got, err := cg.Pressure(s, resource); string(got) != want || err != nil {
			t.Errorf("Pressure(%v) = %q, %v, want %q", resource, got, err, want)
		}
	}
	if _, err := cg.Pressure(s, Memory); !Missing(err) {
		t.Errorf("Pressure(memory) of a kernel booted with psi=0: %v, want it missing", err)
	}
	s = snapshot(t, legacy)
	if _, err := groupOf(t, s, Memory, "/x").Pressure(s, Memory); !Missing(err) {
		t.Errorf("Pressure on v1, which has none: %v, want it missing", err)
	}
}
