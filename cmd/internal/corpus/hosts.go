package main

import "lxcfs/fakekernel"

const (
	gib = 1 << 30
	tib = 1 << 40

	podSystemd  = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0aa0ba7c_45c7_4d09_8a6d_27fb5c1d4e01.slice"
	podCgroupfs = "/kubepods/burstable/pod0aa0ba7c-45c7-4d09-8a6d-27fb5c1d4e02"
	id          = "3b1c9d5e7f8a2b4c6d0e1f3a5b7c9d8e0f2a4b6c8d1e3f5a7b9c0d2e4f6a8b1c"
	id2         = "9d8e0f2a4b6c8d1e3f5a7b9c0d2e4f6a8b1c3b1c9d5e7f8a2b4c6d0e1f3a5b7c"
)

// hosts are ordered as they are told: big ones, trees of container managers, architectures.
var hosts = []host{
	{
		name:    "512cpu-v2",
		why:     "512 CPUs on v2, a cpuset of two pieces beyond CPU 63: masks of 16 words, lists with gaps, CPU numbers of three digits.",
		machine: fakekernel.Config{Kernel: "6.12", CPUs: 512, ThreadsPerCore: 2, CPUsPerPackage: 256, Memory: 768 * gib, CPUInfo: cpuinfo(512, "", x86, "")},
		verbs: `
			cgroup create /lxc/big
			limit cpuset /lxc/big 66-69,320-323
			limit memory /lxc/big 16G
			spawn asks in /lxc/big pidns=new threads=4
			run asks user=2.5 system=0.25
			charge /lxc/big anon=3G file=1G slab_reclaimable=64M kernel_stack=64K
			tick 61s`,
	},
	{
		name:    "512cpu-v1-cfs",
		why:     "512 CPUs on v1 without a cpuset, 12 CPUs by quota with --enable-cfs: cpuacct.usage_all of 512 lines, the first 12 CPUs of them shown.",
		machine: fakekernel.Config{Layout: "legacy", Kernel: "6.1", CPUs: 512, ThreadsPerCore: 2, CPUsPerPackage: 256, Memory: 768 * gib, CPUInfo: cpuinfo(512, "", x86, "")},
		flags:   []string{"--enable-cfs"},
		verbs: `
			cgroup create /lxc/quota
			limit cpu /lxc/quota 11.5
			limit memory /lxc/quota 32G
			spawn asks in /lxc/quota pidns=new threads=24
			run asks user=18 system=2
			tick 30s`,
	},
	{
		name:    "cpus-3-60",
		why:     "CPUs 3 and 60 visible only, the count of which says nothing about their numbers.",
		machine: fakekernel.Config{Kernel: "6.18", CPUs: 64, ThreadsPerCore: 2, CPUsPerPackage: 64, Memory: 128 * gib},
		verbs: `
			cgroup create /lxc/gap
			limit cpuset /lxc/gap 3,60
			spawn asks in /lxc/gap pidns=new
			run asks user=0.5
			tick 20s`,
	},
	{
		name:    "cpus-3-60-offline",
		why:     "the cpuset's CPU 60 taken offline under the container, on v1: the effective cpuset shrinks, the configured one does not.",
		machine: fakekernel.Config{Layout: "legacy", Kernel: "5.10", CPUs: 64, ThreadsPerCore: 2, CPUsPerPackage: 64, Memory: 128 * gib},
		verbs: `
			cgroup create /lxc/gap
			limit cpuset /lxc/gap 3,60
			spawn asks in /lxc/gap pidns=new
			run asks user=0.5
			tick 5s
			hotplug 60 off
			tick 5s`,
	},
	{
		name:    "memory-1t",
		why:     "a terabyte of memory, 700 GiB of it the limit of a parent: numbers past 32 bits in kB columns wider than the kernel's, swap of a limit larger than the device.",
		machine: fakekernel.Config{Kernel: "6.12", CPUs: 8, Memory: tib, Swap: 64 * gib, HugePages: 1024},
		verbs: `
			cgroup create /lxc/huge/inner
			limit memory /lxc/huge 700G
			limit swap /lxc/huge 128G
			spawn asks in /lxc/huge/inner pidns=new
			charge /lxc/huge/inner anon=412G file=100G shmem=7G slab_reclaimable=3G slab_unreclaimable=1G pagetables=900M percpu=16M swap=5G
			charge /lxc/huge/inner file_mapped=2G file_dirty=60M file_writeback=4M anon_thp=300G`,
	},
	{
		name:    "disks-40-v2",
		why:     "40 disks of which the container used three, the last with a name of four letters, on io.stat.",
		machine: fakekernel.Config{Kernel: "6.1", CPUs: 4, Memory: 64 * gib, Disks: disks(40)},
		verbs: `
			cgroup create /lxc/io
			spawn asks in /lxc/io pidns=new
			io /lxc/io sda read=10M write=4K
			io /lxc/io sdz write=512M writes=9000
			io /lxc/io sdan read=64K reads=16 discard=1M
			tick 5s`,
	},
	{
		name:    "disks-40-cfq",
		why:     "the same on v1 of Linux 4.19, whose CFQ scheduler still has times and merges in blkio.io_*_recursive.",
		machine: fakekernel.Config{Layout: "legacy", Kernel: "4.19", CPUs: 4, Memory: 64 * gib, Disks: disks(40)},
		verbs: `
			cgroup create /lxc/io
			spawn asks in /lxc/io pidns=new
			io /lxc/io sda read=10M write=4K
			io /lxc/io sdz write=512M writes=9000
			io /lxc/io sdan read=64K reads=16
			tick 5s`,
	},
	{
		name:    "systemd-deep",
		why:     "a systemd container whose init is in init.scope seven levels down, with limits three levels above and a stricter one in between, memory of siblings beside it.",
		machine: fakekernel.Config{Kernel: "6.12", CPUs: 16, Memory: 256 * gib, Swap: 8 * gib},
		flags:   []string{"--enable-cfs"},
		verbs: `
			cgroup create /user.slice/user-1000.slice/user@1000.service/app.slice/app-web.slice/lxc.payload.web
			limit memory /user.slice/user-1000.slice/user@1000.service 8G
			limit memory /user.slice/user-1000.slice/user@1000.service/app.slice/app-web.slice 2G
			limit cpu /user.slice/user-1000.slice 6
			limit cpu /user.slice/user-1000.slice/user@1000.service/app.slice 2.5
			spawn asks in /user.slice/user-1000.slice/user@1000.service/app.slice/app-web.slice/lxc.payload.web/init.scope pidns=new comm=systemd
			spawn nginx in /user.slice/user-1000.slice/user@1000.service/app.slice/app-web.slice/lxc.payload.web/system.slice/nginx.service parent=asks threads=3
			spawn sibling in /user.slice/user-1000.slice/user@1000.service/app.slice/app-web.slice/other.service
			run nginx user=1.5 system=0.2
			charge /user.slice/user-1000.slice/user@1000.service/app.slice/app-web.slice/lxc.payload.web/system.slice/nginx.service anon=300M file=120M
			charge /user.slice/user-1000.slice/user@1000.service/app.slice/app-web.slice/other.service anon=1G
			tick 17s`,
	},
	{
		name:    "docker-in-lxc",
		why:     "a container in a container, two pid namespaces deep, on a hybrid host: the inner init's limits, and the outer's where they are stricter.",
		machine: fakekernel.Config{Layout: "hybrid", Kernel: "5.10", CPUs: 8, Memory: 32 * gib, Swap: 4 * gib},
		verbs: `
			cgroup create /lxc.payload.outer/docker/` + id + `
			limit memory /lxc.payload.outer 1G
			limit memory /lxc.payload.outer/docker/` + id + ` 2G
			limit cpuset /lxc.payload.outer/docker/` + id + ` 4-5
			limit cpuset /lxc.payload.outer/docker 2-5
			limit cpuset /lxc.payload.outer 2-5
			spawn outer in /lxc.payload.outer pidns=new comm=systemd
			tick 100s
			spawn asks in /lxc.payload.outer/docker/` + id + ` pidns=new parent=outer
			run asks user=1
			run outer system=0.5
			charge /lxc.payload.outer/docker/` + id + ` anon=100M file=30M
			charge /lxc.payload.outer anon=200M
			tick 10s`,
	},
	{
		name:    "kubepods-systemd",
		why:     "Kubernetes with the systemd cgroup driver on v2: the pod's limit is below the container's, a side car has a part of it.",
		machine: fakekernel.Config{Kernel: "6.1", CPUs: 32, Memory: 128 * gib},
		flags:   []string{"--enable-cfs"},
		verbs: `
			cgroup create ` + podSystemd + `/cri-containerd-` + id + `.scope
			cgroup create ` + podSystemd + `/cri-containerd-` + id2 + `.scope
			limit memory ` + podSystemd + ` 1536M
			limit memory ` + podSystemd + `/cri-containerd-` + id + `.scope 2G
			limit cpu ` + podSystemd + `/cri-containerd-` + id + `.scope 1.5
			spawn pause in ` + podSystemd + `/cri-containerd-` + id2 + `.scope pidns=new comm=pause
			spawn asks in ` + podSystemd + `/cri-containerd-` + id + `.scope pidns=new comm=java threads=20
			run asks user=4 system=0.5
			charge ` + podSystemd + `/cri-containerd-` + id + `.scope anon=700M file=80M
			charge ` + podSystemd + `/cri-containerd-` + id2 + `.scope anon=12M file=1M
			stall ` + podSystemd + `/cri-containerd-` + id + `.scope memory some=300ms full=100ms
			tick 45s`,
	},
	{
		name:    "kubepods-cgroupfs",
		why:     "Kubernetes with the cgroupfs driver on v1, where the container's pid namespace is the pod's and its init the pause process.",
		machine: fakekernel.Config{Layout: "legacy", Kernel: "5.10", CPUs: 32, Memory: 128 * gib},
		flags:   []string{"--enable-cfs"},
		verbs: `
			cgroup create ` + podCgroupfs + `/` + id + `
			cgroup create ` + podCgroupfs + `/` + id2 + `
			limit memory ` + podCgroupfs + ` 1G
			limit memory ` + podCgroupfs + `/` + id2 + ` 512M
			limit cpu ` + podCgroupfs + ` 3
			spawn pause in ` + podCgroupfs + `/` + id + ` pidns=new comm=pause
			spawn asks in ` + podCgroupfs + `/` + id2 + ` pidns=of:pause comm=app threads=4
			run asks user=2 system=0.1
			charge ` + podCgroupfs + `/` + id2 + ` anon=200M file=60M
			tick 45s`,
	},
	{
		name:    "arm64",
		why:     "arm64: blocks without a model name, and a cpuset in the middle.",
		machine: fakekernel.Config{Kernel: "6.12", Arch: "aarch64", CPUs: 8, Memory: 16 * gib, CPUInfo: cpuinfo(8, "", arm64, "")},
		verbs:   middle,
	},
	{
		name:    "arm",
		why:     "32-bit ARM on v1: what describes the board follows the last CPU and stays, its serial number is 0 here.",
		machine: fakekernel.Config{Layout: "legacy", Kernel: "6.1", Arch: "armv7l", CPUs: 8, Memory: 4 * gib, CPUInfo: cpuinfo(8, "", arm, armTail)},
		verbs:   middle,
	},
	{
		name:    "s390x",
		why:     "s390x: CPUs are counted, have a line each, and blocks that start with cpu number.",
		machine: fakekernel.Config{Kernel: "6.12", Arch: "s390x", CPUs: 8, ThreadsPerCore: 2, Memory: 32 * gib, CPUInfo: s390x(8)},
		verbs:   middle,
	},
	{
		name:    "ppc64le",
		why:     "ppc64le: clock, timebase and machine follow the last CPU and stay.",
		machine: fakekernel.Config{Layout: "hybrid", Kernel: "6.1", Arch: "ppc64le", CPUs: 8, ThreadsPerCore: 4, Memory: 64 * gib, CPUInfo: cpuinfo(8, "", ppc64le, ppc64leTail)},
		verbs:   middle,
	},
	{
		name:    "riscv64",
		why:     "riscv64: harts beside processors, on the newest kernel.",
		machine: fakekernel.Config{Kernel: "7.3", Arch: "riscv64", CPUs: 8, Memory: 8 * gib, CPUInfo: cpuinfo(8, "", riscv64, "")},
		verbs:   middle,
	},
}

// middle is a container with CPUs 2, 3 and 5 of 8.
const middle = `
	cgroup create /lxc/mid
	limit cpuset /lxc/mid 2-3,5
	limit memory /lxc/mid 1G
	spawn asks in /lxc/mid pidns=new threads=2
	run asks user=1.25 system=0.5
	charge /lxc/mid anon=100M file=50M
	tick 8s`
