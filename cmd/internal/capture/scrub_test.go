package capture

import (
	"testing"

	"lxcfs/cmd/internal/archive"
)

func TestScrub(t *testing.T) {
	const one, two = "0000000000000000000000000000000000000000000000000000000000000001", "0000000000000000000000000000000000000000000000000000000000000002"
	cgroups := archive.Entry{Path: "proc/7/cgroup", Text: []byte(`2:cpu,cpuacct:/lxc/shop
1:name=systemd:/lxc.payload.shop2/init.scope
0::/machine.slice/machine-build.scope/db01
`)}
	s := newScrubber("db01", []archive.Entry{cgroups})
	for _, c := range []struct{ path, in, want, reason string }{
		{"proc/7/cgroup", string(cgroups.Text), "2:cpu,cpuacct:/lxc/c2\n1:name=systemd:/lxc.payload.c3/init.scope\n0::/machine.slice/machine-c4.scope/host\n", "names of containers and the host"},
		{"proc/7/cgroup", "0::/docker-" + dockerID + ".scope\n", "0::/docker-" + one + ".scope\n", "a container id, its kind kept"},
		{"proc/8/cgroup", "0::/libpod-" + dockerID + "\n", "0::/libpod-" + one + "\n", "the same id: the same pseudonym"},
		{"proc/8/cgroup", "0::/a/" + two[:63] + "b\n", "0::/a/" + two + "\n", "the next id"},
		{
			"proc/9/cgroup", "0::/kubepods/pod0aa0ba7c-45c7-4d09-8a6d-27fb5c1d4e02\n",
			"0::/kubepods/pod00000000-0000-0000-0000-000000000003\n", "a pod's UID keeps its dashes",
		},
		{
			"proc/9/cgroup", "0::/kubepods-pod0aa0ba7c_45c7_4d09_8a6d_27fb5c1d4e02.slice\n",
			"0::/kubepods-pod00000000_0000_0000_0000_000000000004.slice\n", "as systemd spells it",
		},
		{"proc/9/cgroup", "0::/shopping/shop.slice\n", "0::/shopping/c2.slice\n", "whole words only"},
		{"proc/7/stat", "7 (a b) (c) S 1 7\n", "7 (task) S 1 7\n", "a command's name with blanks and parentheses"},
		{"proc/7/task/8/stat", "8 (x) R 1\n", "8 (task) R 1\n", "of a thread"},
		{"proc/7/status", "Name:\tmysqld\nUmask:\t0022\nNSpid:\t7\t1\n", "Name:\ttask\nUmask:\t0022\nNSpid:\t7\t1\n", "and in status"},
		{"proc/stat", "cpu (1) 2\n", "cpu (1) 2\n", "the host's stat is no process'"},
		{"proc/cpuinfo", "Hardware\t: BCM2835\nSerial\t\t: 10000000abcdef12\n", "Hardware\t: BCM2835\nSerial\t\t: 0000000000000000\n", "an ARM board's serial number"},
		{
			"proc/cpuinfo", "processor 0: version = FF,  identification = 0133E8,  machine = 3931\nidentification  : 0133E8\n",
			"processor 0: version = FF,  identification = 000000,  machine = 3931\nidentification  : 000000\n", "s390x, in both places",
		},
		{"proc/meminfo", "MemTotal: 1 kB\n", "MemTotal: 1 kB\n", "nothing to replace"},
		{"sys/devices/system/cpu/cpu0/crash_notes", "100002ae8\n", "0\n", "a physical address"},
	} {
		if got := s.text(c.path, c.in); got != c.want {
			t.Errorf("%s: %s\n got %q\nwant %q", c.path, c.reason, got, c.want)
		}
	}
	e := s.entry(archive.Entry{Path: "sys/fs/cgroup/cpu,cpuacct/lxc/shop/" + dockerID + "/cpu.stat", Text: []byte("nr_periods 0\n")})
	if want := "sys/fs/cgroup/cpu,cpuacct/lxc/c2/" + one + "/cpu.stat"; e.Path != want {
		t.Errorf("path = %s, want %s: the names that the texts have", e.Path, want)
	}
}

func TestCgroupMounts(t *testing.T) {
	const text = "21 1 8:1 / / rw - ext4 /dev/disk/by-id/serial rw\n" +
		"31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n" +
		"32 24 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	const want = "31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n" +
		"32 24 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	if got := string(cgroupMounts(text)); got != want {
		t.Errorf("cgroupMounts = %q, want %q", got, want)
	}
}
