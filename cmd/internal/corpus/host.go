package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"lxcfs/cmd/internal/archive"
	"lxcfs/cmd/internal/capture"
	"lxcfs/fakekernel"
)

// host is a synthetic host. Its process named "asks" is the one that asks.
type host struct {
	name    string
	why     string
	machine fakekernel.Config
	flags   []string
	verbs   string // of the scenario language, a line each; those of package fakekernel that edit the tree
}

// archive boots the machine, lets the verbs happen to it and captures it.
func (h host) archive() (*archive.Archive, error) {
	k, err := fakekernel.New(h.machine)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(h.verbs) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := do(k, words); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	pid, err := k.PID("asks")
	if err != nil {
		return nil, err
	}
	about := fmt.Sprintf("Synthetic (go run ./cmd/internal/corpus): %s\n", h.why)
	return capture.Host(k, capture.Options{PID: pid, Flags: h.flags, Comment: about, Keep: true})
}

// do is one verb.
func do(k *fakekernel.Kernel, w []string) error {
	switch verb, rest := w[0], w[1:]; {
	case verb == "cgroup" && len(rest) == 2 && rest[0] == "create":
		return k.CgroupCreate(rest[1])
	case verb == "limit" && len(rest) == 3:
		return k.Limit(rest[0], rest[1], rest[2])
	case verb == "spawn" && len(rest) >= 3 && rest[1] == "in":
		_, err := k.Spawn(rest[0], rest[2], rest[3:]...)
		return err
	case verb == "charge" && len(rest) >= 2:
		return k.Charge(rest[0], rest[1:]...)
	case verb == "run" && len(rest) >= 2:
		return k.Run(rest[0], rest[1:]...)
	case verb == "io" && len(rest) >= 3:
		return k.IO(rest[0], rest[1], rest[2:]...)
	case verb == "swap" && len(rest) == 2:
		return k.Swap(rest[0], rest[1])
	case verb == "hotplug" && len(rest) == 2:
		return k.Hotplug(rest[0], rest[1])
	case verb == "stall" && len(rest) >= 3:
		return k.Stall(rest[0], rest[1], rest[2:]...)
	case verb == "tick" && len(rest) == 1:
		d, err := time.ParseDuration(rest[0])
		if err != nil {
			return err
		}
		return k.Tick(d)
	}
	return fmt.Errorf("no such verb here")
}

// disks returns n names as the kernel gives them: sda to sdz, sdaa and so on.
func disks(n int) []string {
	var names []string
	for i := range n {
		letters := string(rune('a' + i%26))
		if i >= 26 {
			letters = string(rune('a'+i/26-1)) + letters
		}
		names = append(names, "sd"+letters)
	}
	return names
}

// cpuinfo repeats block for n CPUs between head and tail; # in it is the CPU's number.
func cpuinfo(n int, head, block, tail string) []byte {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		b.WriteString(strings.ReplaceAll(block, "#", strconv.Itoa(i)))
	}
	b.WriteString(tail)
	return []byte(b.String())
}
