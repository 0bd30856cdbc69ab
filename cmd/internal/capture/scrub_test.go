package capture

import (
	"fmt"
	"strings"
	"testing"

	"lxcfs/cmd/internal/archive"
	"lxcfs/fakekernel"
)

func TestScrub(t *testing.T) {
	const start = " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 4711 0\n"
	s := scrubber{}
	for _, c := range []struct{ path, in, want, reason string }{
		{
			"proc/7/cgroup", "2:cpu,cpuacct:/lxc/shop\n1:name=systemd:/lxc.payload.shop2/init.scope\n0::/machine.slice/machine-build.scope/db01\n",
			"2:cpu,cpuacct:/lxc/c1\n1:name=systemd:/lxc.payload.c2/init.scope\n0::/machine.slice/machine-c3.scope/c4\n", "names of containers and the host",
		},
		{"proc/7/cgroup", "0::/docker-" + dockerID + ".scope\n", "0::/docker-" + number(64, 5) + ".scope\n", "a container id, its kind kept"},
		{"proc/8/cgroup", "0::/libpod-" + dockerID + "\n", "0::/libpod-" + number(64, 5) + "\n", "the same id: the same pseudonym"},
		{"proc/8/cgroup", "0::/docker-2d711642b726.scope\n", "0::/docker-" + number(12, 6) + ".scope\n", "an id that was cut off"},
		{
			"proc/9/cgroup", "0::/kubepods/pod0aa0ba7c-45c7-4d09-8a6d-27fb5c1d4e02\n",
			"0::/kubepods/pod00000000-0000-0000-0000-000000000007\n", "a pod's UID keeps its dashes",
		},
		{
			"proc/9/cgroup", "0::/kubepods-pod0aa0ba7c_45c7_4d09_8a6d_27fb5c1d4e02.slice\n",
			"0::/kubepods-pod00000000_0000_0000_0000_000000000008.slice\n", "as systemd spells it",
		},
		{"proc/9/cgroup", "0::/kubepods/pod" + dockerID[:32] + "\n", "0::/kubepods/pod" + number(32, 9) + "\n", "a static pod's: the d of pod is no digit"},
		{"proc/9/cgroup", "0::/shopping/shop.slice\n", "0::/c10/c1.slice\n", "whole words only"},
		{"proc/9/cgroup", "0::/user.slice/user-1234.slice/user@1234.service/app.slice\n", "0::/user.slice/user-c11.slice/user@c11.service/app.slice\n", "users"},
		{"proc/9/cgroup", "0::/machine-my\\x2dbox.scope (deleted)\n", "0::/machine-c12.scope (deleted)\n", "systemd's escapes, the kernel's mark"},
		{"proc/9/cgroup", "5:perf_event:/\n4:net_cls,net_prio:/../docker\n", "5:perf_event:/\n4:net_cls,net_prio:/../docker\n", "what is everybody's"},
		{"proc/7/stat", "7 (a b) (c) S 1 7 7 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 4711 140243\n", "7 (task) S" + start, "a command's name with blanks and parentheses; addresses"},
		{"proc/7/task/8/status", "Name:\tx\nState:\tR (running)\n", "Name:\ttask\nState:\tR (running)\n", "of a thread"},
		{"proc/7/status", "Name:\tmysqld\nUmask:\t0022\nUid:\t1234\t1234\nPPid:\t3\nNSpid:\t7\t1\n", "Name:\ttask\nPPid:\t3\nNSpid:\t7\t1\n", "and in status, whose other lines nobody reads"},
		{"proc/stat", "cpu (1) 2\n", "cpu (1) 2\n", "the host's stat is no process'"},
		{"proc/cpuinfo", "Hardware\t: BCM2835\nSerial\t\t: 10000000abcdef12\n", "Hardware\t: BCM2835\nSerial\t\t: 0000000000000000\n", "an ARM board's serial number"},
		{
			"proc/cpuinfo", "processor 0: version = FF,  identification = 0133E8,  machine = 3931\nidentification  : 0133E8\n",
			"processor 0: version = FF,  identification = 000000,  machine = 3931\nidentification  : 000000\n", "s390x, in both places",
		},
		{"proc/swaps", "Filename Type\n/dev/mapper/shop--vg-swap partition 1\n/swap file 2\n", "Filename Type\n/dev/c13                  partition 1\n/dev/c14 file 2\n", "volumes"},
		{"proc/diskstats", " 9 127 md_shop 1 2\n 8 0 sda 3 4\n", " 9 127 md_c1 1 2\n 8 0 sda 3 4\n", "arrays with names"},
		{"proc/meminfo", "MemTotal: 1 kB\n", "MemTotal: 1 kB\n", "nothing to replace"},
		{"sys/devices/system/cpu/cpu0/crash_notes", "100002ae8\n", "0\n", "a physical address"},
		{
			"proc/self/mountinfo", "21 1 8:1 / / rw - ext4 /dev/disk/by-id/serial rw\n" +
				"31 24 0:27 /shop /sys/fs/cgroup rw shared:4 - cgroup2 shop rw,nsdelegate\n" +
				"32 24 0:28 / /srv/my\\040machine-my\\134x2dbox/cpu rw - cgroup cgroup rw,cpu,release_agent=/opt/shop/agent,name=shop2\n",
			"31 24 0:27 /c1 /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n" +
				"32 24 0:28 / /c15/c16\\040machine-c12/cpu rw - cgroup cgroup rw,cpu,name=c2\n", "mounts of cgroups alone, without what anybody can say there",
		},
	} {
		if got := s.text(c.path, c.in); got != c.want {
			t.Errorf("%s: %s\n got %q\nwant %q", c.path, c.reason, got, c.want)
		}
	}
	for _, c := range []struct{ in, want archive.Entry }{
		{
			archive.Entry{Path: "sys/fs/cgroup/cpu,cpuacct/lxc/shop/" + dockerID + "/cpu.stat", Text: []byte("nr_periods 0\n")},
			archive.Entry{Path: "sys/fs/cgroup/cpu,cpuacct/lxc/c1/" + number(64, 5) + "/cpu.stat", Text: []byte("nr_periods 0\n")},
		},
		{archive.Entry{Path: "sys/fs/cgroup/lxc/shop", Errno: "EACCES"}, archive.Entry{Path: "sys/fs/cgroup/lxc/c1", Errno: "EACCES"}},
		{archive.Entry{Path: "sys/fs/cgroup/cpu", Link: "cpu,cpuacct"}, archive.Entry{Path: "sys/fs/cgroup/cpu", Link: "cpu,cpuacct"}},
		{archive.Entry{Path: "proc/7/ns/pid", Link: "pid:[4026532201]"}, archive.Entry{Path: "proc/7/ns/pid", Link: "pid:[4026532201]"}},
	} {
		if got := s.entry(c.in); got.Name() != c.want.Name() || string(got.Text) != string(c.want.Text) {
			t.Errorf("entry %s = %s, want %s", c.in.Name(), got.Name(), c.want.Name())
		}
	}
}

// number is the pseudonym of an id.
func number(width, n int) string { return fmt.Sprintf("%0*x", width, n) }

// Whatever somebody named, on any layout and wherever the kernel shows it, is not in what is sent.
func TestScrubKeepsNoName(t *testing.T) {
	for _, group := range []string{
		"/acme", "/acme-prod-db", "/system.slice/acme-billing.service", "/user.slice/user-1234.slice/user@1234.service/app.slice/acme-secret.scope",
		"/docker/acmeshort", "/system.slice/docker-2d711642b726.scope", "/incus.payload.acmeinc", "/lxc.payload.acme/init.scope", "/lxc/acme/ns", "/acme.slice/lxc.monitor.acme",
		"/machine.slice/machine-acme\\x2dbox.scope", "/kubepods.slice/acme/pod0aa0ba7c-45c7-4d09-8a6d-27fb5c1d4e02/" + dockerID, "/memory/acme", "/cpu/init.scope/acme",
	} {
		for _, layout := range []string{"legacy", "hybrid", "unified"} {
			k, err := fakekernel.New(fakekernel.Config{Layout: layout, CPUs: 2, Swap: 1 << 30})
			if err != nil {
				t.Fatal(err)
			}
			pid, err := k.Spawn("web", group, "pidns=new", "comm=acme-d", "uid=1234")
			if err != nil {
				t.Fatal(err)
			}
			inHost, err := k.Spawn("host", "/", "comm=acme-h", "uid=1234")
			if err != nil {
				t.Fatal(err)
			}
			mounts, err := k.ReadFile("/proc/self/mountinfo")
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{
				k.CgroupCreate(group+"/acme-below", "controllers=none"),
				k.Run("web", "user=1"),
				k.Limit("memory", group, "64M"),
				k.Write("/proc/sys/kernel/hostname", "memory"),
				k.Write("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/mapper/acme-swap partition\t1048572\t0\t-2\n"),
				k.Write("/proc/self/mountinfo", "20 1 8:1 / /srv/acme rw - ext4 /dev/acme rw\n"+string(mounts)+"99 1 0:99 /acme /srv/acme rw - cgroup acme rw,name=acme\n"),
			} {
				if err != nil {
					t.Fatal(layout, group, err)
				}
			}
			for _, caller := range []int{pid, inHost} {
				a, err := Host(k, Options{PID: caller, Comment: "Of the hundreds, this one."})
				if err != nil {
					t.Errorf("%s, %s: %v", layout, group, err)
					continue
				}
				data := string(a.Bytes())
				for _, secret := range []string{"acme", "1234", "2d711642b726", "0aa0ba7c", dockerID} {
					if at := strings.Index(data, secret); at >= 0 {
						t.Errorf("%s, %s: the archive holds %q: ...%s...", layout, group, secret, data[max(0, at-60):at+20])
					}
				}
			}
		}
	}
}
