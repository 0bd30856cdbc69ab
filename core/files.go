package core

import (
	"io/fs"
	"strings"

	"lxcfs/kernelfs"
)

// File is a served file: a row of [Files].
type File struct {
	Path   string                // below the mount point
	Mode   fs.FileMode           // permissions
	Needs  []kernelfs.Controller // controllers without which the host's file is served
	Render func(*View) error     // appends the content, or says why there is none
	Doc    string                // where the content comes from, in a line

	RootOnly bool // only root may read the host's

	pressure kernelfs.Controller // 1 + the resource of a pressure file
}

// Files is the table of served files, in the order they are listed. No other place knows their names.
var Files = []File{
	{Path: "proc/cpuinfo", Mode: 0o444, Needs: needs(kernelfs.CPUSet), Render: renderCPUInfo, Doc: "the host's blocks of the visible CPUs"},
	{Path: "proc/meminfo", Mode: 0o444, Needs: needs(kernelfs.Memory), Render: renderMeminfo, Doc: "limits, usage and counters of the memory cgroup"},
	{Path: "proc/stat", Mode: 0o444, Needs: needs(kernelfs.CPUAcct, kernelfs.CPUSet), Render: renderStat, Doc: "CPU time of the cgroup over the visible CPUs, its running and blocked threads; intr, ctxt, btime, processes, softirq: the host's"},
	{Path: "proc/uptime", Mode: 0o444, Needs: needs(kernelfs.CPUAcct), Render: renderUptime, Doc: "time since the container's init started; idle time of its CPUs"},
	{Path: "proc/diskstats", Mode: 0o444, Needs: needs(kernelfs.IO), Render: renderDiskstats, Doc: "operations and bytes of the cgroup per device it used"},
	{Path: "proc/swaps", Mode: 0o444, Needs: needs(kernelfs.Memory), Render: renderSwaps, Doc: "one device of the size of the cgroup's swap"},
	{Path: "proc/loadavg", Mode: 0o444, Needs: needs(kernelfs.CPU), Render: renderLoadavg, Doc: "runnable and blocked threads of the cgroup and all below it, averaged as the kernel does"},
	{Path: "proc/slabinfo", Mode: 0o444, Needs: needs(kernelfs.Memory), Render: renderSlabinfo, Doc: "memory.kmem.slabinfo of cgroup v1, else a header", RootOnly: true},
	{Path: "proc/pressure/io", Mode: 0o444, Needs: needs(kernelfs.PSI), Render: renderPressure(kernelfs.IO), Doc: "io.pressure of the cgroup (v2)", pressure: kernelfs.IO + 1},
	{Path: "proc/pressure/cpu", Mode: 0o444, Needs: needs(kernelfs.PSI), Render: renderPressure(kernelfs.CPU), Doc: "cpu.pressure of the cgroup (v2)", pressure: kernelfs.CPU + 1},
	{Path: "proc/pressure/memory", Mode: 0o444, Needs: needs(kernelfs.PSI), Render: renderPressure(kernelfs.Memory), Doc: "memory.pressure of the cgroup (v2)", pressure: kernelfs.Memory + 1},
	{Path: cpuTree + "/online", Mode: 0o444, Needs: needs(kernelfs.CPUSet), Render: renderCPUs, Doc: "the visible CPUs"},
	{Path: cpuTree + "/present", Mode: 0o444, Needs: needs(kernelfs.CPUSet), Render: renderCPUs, Doc: "the visible CPUs"},
	{Path: cpuTree + "/possible", Mode: 0o444, Needs: needs(kernelfs.CPUSet), Render: renderPossible, Doc: "0 to the highest CPU of the effective cpuset"},
	{Path: cpuTree + "/offline", Mode: 0o444, Needs: needs(kernelfs.CPUSet), Render: renderOffline, Doc: "the possible CPUs that are not visible"},
}

func needs(c ...kernelfs.Controller) []kernelfs.Controller { return c }

// rows finds a file by its path.
var rows = func() map[string]*File {
	m := map[string]*File{}
	for i := range Files {
		m[Files[i].Path] = &Files[i]
	}
	return m
}()

// sys reports whether the file is one of /sys.
func (f *File) sys() bool { return strings.HasPrefix(f.Path, "sys/") }

// render renders the file, if a hierarchy has each controller it needs.
func (f *File) render(v *View) error {
	for _, c := range f.Needs {
		if v.FS().Hierarchy(c) == nil && c != kernelfs.CPUSet {
			return errHost
		}
	}
	return f.Render(v)
}
