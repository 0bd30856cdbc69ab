package fakekernel

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIOCountsEverywhere(t *testing.T) {
	for _, layout := range layouts {
		k := boot(t, layout+" kernel=6.9 disks=sda,sda1,nvme0n1", `cgroup create /a
			spawn p in /a/b
			io p sda1 read=1M write=512K
			io p nvme0n1 read=4K reads=3 discard=2M
			io /a sda write=128K`)
		if layout == "unified" {
			want := "8:0 rbytes=1048576 wbytes=655360 rios=8 wios=5 dbytes=0 dios=0\n259:0 rbytes=4096 wbytes=0 rios=3 wios=0 dbytes=2097152 dios=16\n"
			if diff := cmp.Diff(want, read(t, k, "/sys/fs/cgroup/a/io.stat")); diff != "" {
				t.Errorf("io.stat (-want +got)\n%s", diff)
			}
			continue
		}
		dir := "/sys/fs/cgroup/blkio/a/"
		want := "8:0 Read 1048576\n8:0 Write 655360\n8:0 Sync 1703936\n8:0 Async 0\n8:0 Discard 0\n8:0 Total 1703936\n" +
			"259:0 Read 4096\n259:0 Write 0\n259:0 Sync 4096\n259:0 Async 0\n259:0 Discard 2097152\n259:0 Total 2101248\nTotal 3805184\n"
		if diff := cmp.Diff(want, read(t, k, dir+"blkio.throttle.io_service_bytes_recursive")); diff != "" {
			t.Errorf("%s: recursive (-want +got)\n%s", layout, diff)
		}
		if got := read(t, k, dir+"blkio.throttle.io_serviced"); !strings.Contains(got, "8:0 Write 1\n") || !strings.Contains(got, "259:0 Read 0\n") {
			t.Errorf("%s: the group's own requests alone:\n%s", layout, got)
		}
	}
}

// TestV1CountsWhatItThrottles: on v1 the throttling policy counts, not always everything.
func TestV1CountsWhatItThrottles(t *testing.T) {
	for _, c := range []struct {
		kernel, reason string
		want           []string // after each pair of reads and writes: with no limit, with another's, with a write limit of its own
	}{
		{"5.15", "everything", []string{"4096 4096", "8192 8192", "12288 12288"}},
		{"5.16", "only what has a limit itself", []string{"0 0", "0 0", "0 4096"}},
		{"6.4", "still", []string{"0 0", "0 0", "0 4096"}},
		{"6.5", "everything", []string{"4096 4096", "8192 8192", "12288 12288"}},
		{"6.10", "since the first limit for the disk", []string{"", "4096 4096", "8192 8192"}},
	} {
		k := boot(t, "legacy kernel="+c.kernel, "cgroup create /b\nspawn p in /a")
		for i, verbs := range []string{"", "limit io /b sda rbps=1048576\n", "limit io /a sda wbps=1048576\n"} {
			do(t, k, verbs+"io p sda read=4K write=4K")
			text := read(t, k, "/sys/fs/cgroup/blkio/a/blkio.throttle.io_service_bytes_recursive")
			var got string
			for line := range strings.Lines(text) {
				if f := strings.Fields(line); len(f) == 3 && (f[1] == "Read" || f[1] == "Write") {
					got = strings.TrimSpace(got + " " + f[2])
				}
			}
			if got != c.want[i] {
				t.Errorf("%s counts %s: step %d: read and written %q, want %q", c.kernel, c.reason, i, got, c.want[i])
			}
		}
	}
}

// TestSwapIsTraffic: pages that are swapped out and in are written to and read from the swap device, on behalf of their cgroup.
func TestSwapIsTraffic(t *testing.T) {
	const verbs = "cgroup create /a\ncharge /a anon=8M\nswap /a out=4M\nswap /a in=1M"
	k := boot(t, "unified", verbs)
	if got, want := read(t, k, "/sys/fs/cgroup/a/io.stat"), "252:0 rbytes=1048576 wbytes=4194304 rios=256 wios=1024 dbytes=0 dios=0\n"; got != want {
		t.Errorf("v2: io.stat %q, want %q", got, want)
	}
	k = boot(t, "legacy kernel=6.9", verbs)
	if got := read(t, k, "/sys/fs/cgroup/blkio/a/blkio.throttle.io_service_bytes_recursive"); got != "Total 0\n" {
		t.Errorf("v1: %q: who owned a page is not known to the block layer there", got)
	}
}

func TestDiskstats(t *testing.T) {
	field := func(k *Kernel, disk string, n int) int64 {
		for line := range strings.Lines(read(t, k, "/proc/diskstats")) {
			if f := strings.Fields(line); f[2] == disk {
				return number1(t, f[n])
			}
		}
		t.Fatalf("no disk %s", disk)
		return 0
	}
	k := boot(t, "unified disks=sda,sda1", "spawn p in /a")
	before := map[string]int64{}
	for _, d := range []string{"sda", "sda1"} {
		before[d] = field(k, d, 5)
	}
	do(t, k, "io p sda1 read=1M")
	for d, was := range before {
		if got := field(k, d, 5) - was; got != 2048 {
			t.Errorf("%s: %d sectors read, want 2048: a partition's requests are its disk's", d, got)
		}
	}
	for kernel, want := range map[string]int{"4.19": 18, "5.10": 20} {
		k := boot(t, "legacy kernel="+kernel, "")
		if got := len(strings.Fields(strings.SplitN(read(t, k, "/proc/diskstats"), "\n", 2)[0])); got != want {
			t.Errorf("%s: %d fields, want %d", kernel, got, want)
		}
	}
}

func TestDiskNumbers(t *testing.T) {
	for name, want := range map[string]string{
		"sda": "8:0", "sdb1": "8:17", "sdz": "65:144", "vdb2": "254:18", "nvme1n1p2": "259:10", "dm-3": "253:3", "zram0": "252:0", "mmcblk0p1": "179:1", "xvda": "202:0",
	} {
		d, err := newDisk(name)
		if err != nil || d.dev() != want {
			t.Errorf("newDisk(%s) = %v, %v, want %s", name, d, err, want)
		}
	}
	if _, err := newDisk("tape0"); err == nil {
		t.Error("newDisk(tape0) succeeded")
	}
}

func TestIOLimits(t *testing.T) {
	k := boot(t, "unified", "cgroup create /a\nlimit io /a 8:0 rbps=1048576 wiops=10")
	if got := read(t, k, "/sys/fs/cgroup/a/io.max"); got != "8:0 rbps=1048576 wbps=max riops=max wiops=10\n" {
		t.Errorf("io.max %q", got)
	}
	k = boot(t, "legacy", "cgroup create /a\nlimit io /a 8:0 rbps=1048576")
	if got := read(t, k, "/sys/fs/cgroup/blkio/a/blkio.throttle.read_bps_device"); got != "8:0 1048576\n" {
		t.Errorf("read_bps_device %q", got)
	}
	for _, bad := range []string{"8:0", "9:9 rbps=1", "8:0 rbps=x", "8:0 rbps=1a", "8:0 speed=1"} {
		if err := k.Limit("io", "/a", bad); err == nil {
			t.Errorf("limit io %q succeeded", bad)
		}
	}
}

// TestCFQ has the files that left with CFQ in 5.0: counts, and times that are not 0 once something was read.
func TestCFQ(t *testing.T) {
	k := boot(t, "legacy kernel=4.19", "spawn p in /a\nio p sda read=1M write=256K")
	for file, want := range map[string]string{
		"io_service_bytes_recursive": "8:0 Read 1048576\n", "io_serviced_recursive": "8:0 Write 2\n", "io_merged_recursive": "8:0 Write 2\n",
		"io_service_time_recursive": "8:0 Read 8800000\n", "io_wait_time_recursive": "8:0 Write 3800000\n",
	} {
		if got := read(t, k, "/sys/fs/cgroup/blkio/a/blkio."+file); !strings.Contains(got, want) {
			t.Errorf("blkio.%s lacks %q:\n%s", file, want, got)
		}
	}
}
