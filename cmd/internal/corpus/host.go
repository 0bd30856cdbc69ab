package main

import (
	"errors"
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

// verbs are those of the scenario language that the hosts need, with how many words each wants at least.
var verbs = map[string]struct {
	words int
	do    func(k *fakekernel.Kernel, w []string) error
}{
	"cgroup":  {2, func(k *fakekernel.Kernel, w []string) error { return k.CgroupCreate(w[1]) }},
	"limit":   {3, func(k *fakekernel.Kernel, w []string) error { return k.Limit(w[0], w[1], w[2]) }},
	"charge":  {2, func(k *fakekernel.Kernel, w []string) error { return k.Charge(w[0], w[1:]...) }},
	"run":     {2, func(k *fakekernel.Kernel, w []string) error { return k.Run(w[0], w[1:]...) }},
	"io":      {3, func(k *fakekernel.Kernel, w []string) error { return k.IO(w[0], w[1], w[2:]...) }},
	"hotplug": {2, func(k *fakekernel.Kernel, w []string) error { return k.Hotplug(w[0], w[1]) }},
	"stall":   {3, func(k *fakekernel.Kernel, w []string) error { return k.Stall(w[0], w[1], w[2:]...) }},
	"spawn": {3, func(k *fakekernel.Kernel, w []string) error {
		_, err := k.Spawn(w[0], w[2], w[3:]...)
		return err
	}},
	"tick": {1, func(k *fakekernel.Kernel, w []string) error {
		d, err := time.ParseDuration(w[0])
		if err != nil {
			return err
		}
		return k.Tick(d)
	}},
}

// do is one verb.
func do(k *fakekernel.Kernel, line []string) error {
	v, ok := verbs[line[0]]
	if !ok || len(line)-1 < v.words {
		return errors.New("no such verb here, or too few words")
	}
	return v.do(k, line[1:])
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
