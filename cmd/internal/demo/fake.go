package demo

import (
	"fmt"
	"strings"
	"time"

	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

// fakeSides shows what the tools would print from the files of a fake machine, and of a container on it that resembles the real demonstration's.
func fakeSides() (host, container side, err error) {
	k, err := fakekernel.Boot("unified", "kernel=6.12", "cpus=8", "memory=16G", "swap=2G")
	if err != nil {
		return nil, nil, err
	}
	for _, verb := range [][]string{
		{"cgroup", "create", "/demo/other"},
		{"spawn", "other", "in", "/demo/other"},
		{"charge", "/demo/other", "anon=3G", "file=5G"},
		{"run", "other", "user=0.7", "system=0.1"},
		{"tick", "10m"},
		{"cgroup", "create", "/demo/container"},
		{"limit", "memory", "/demo/container", fmt.Sprint(memoryLimit)},
		{"limit", "swap", "/demo/container", "0"},
		{"limit", "cpu", "/demo/container", fmt.Sprint(cpuLimit)},
		{"spawn", "init", "in", "/demo/container", "pidns=new"},
		{"charge", "/demo/container", fmt.Sprintf("anon=%d", memoryUse), "file=20M"},
		{"run", "init", "user=1"},
	} {
		if err := k.Do(verb[0], verb[1:]...); err != nil {
			return nil, nil, err
		}
	}
	pid, err := k.PID("init")
	if err != nil {
		return nil, nil, err
	}
	c, err := core.New(kernelfs.New(k), core.Options{CFS: true})
	if err != nil {
		return nil, nil, err
	}
	who := core.Caller{PID: pid}
	// The first question for the load is what makes it followed from then on.
	if _, err := c.Read(who, "proc/loadavg", nil); err != nil {
		return nil, nil, err
	}
	for range 12 {
		if err := k.Tick(5 * time.Second); err != nil {
			return nil, nil, err
		}
		c.Tick()
	}
	host, err = tell(func(path string) ([]byte, error) { return k.ReadFile("/" + path) })
	if err != nil {
		return nil, nil, err
	}
	container, err = tell(func(path string) ([]byte, error) { return c.Read(who, path, nil) })
	return host, container, err
}

// tell says what each tool would.
func tell(read func(path string) ([]byte, error)) (side, error) {
	files := make(map[string]string)
	for _, path := range []string{"proc/meminfo", "proc/uptime", "proc/loadavg", "proc/stat", "proc/cpuinfo", "sys/devices/system/cpu/online"} {
		text, err := read(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		files[path] = string(text)
	}
	meminfo, stat := files["proc/meminfo"], files["proc/stat"]
	said := uptime(files["proc/uptime"], files["proc/loadavg"])
	return side{
		toolFree:    free(meminfo),
		toolUptime:  said,
		toolCPUInfo: fmt.Sprintln(countLines(files["proc/cpuinfo"], "processor")),
		toolOnline:  files["sys/devices/system/cpu/online"],
		toolConf:    fmt.Sprintln(countLines(stat, "cpu") - 1), // one of the lines is their sum
		toolTop:     "top - " + strings.TrimSpace(said) + "\n" + cpuTimes(stat) + memory(meminfo),
	}, nil
}
