package fakekernel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Boot is the verb boot for a machine made of words: a layout (legacy, hybrid, unified) and options, in any order.
//
//	kernel=6.12 cpus=4 threads=1 package=4 memory=8G swap=2G hugepages=0 disks=sda,nvme0n1 arch=x86_64
//	zswap=on|off psi=on|off uptime=1000s
//
// The numbers shown are the defaults; swap=0 means no swap, disks= none.
func Boot(words ...string) (*Kernel, error) {
	c, err := parseConfig(words)
	if err != nil {
		return nil, err
	}
	return New(c)
}

func parseConfig(words []string) (Config, error) {
	c := Config{Swap: 2 << 30}
	for _, w := range words {
		if slices.Contains(layouts, w) {
			c.Layout = w
			continue
		}
		name, v, ok := strings.Cut(w, "=")
		if !ok {
			return c, fmt.Errorf("boot %s: want legacy, hybrid, unified or NAME=VALUE", w)
		}
		var err error
		switch name {
		case "kernel":
			c.Kernel = v
		case "arch":
			c.Arch = v
		case "cpus":
			c.CPUs, err = strconv.Atoi(v)
		case "threads":
			c.ThreadsPerCore, err = strconv.Atoi(v)
		case "package":
			c.CPUsPerPackage, err = strconv.Atoi(v)
		case "memory":
			c.Memory, err = parseSize(v)
		case "swap":
			c.Swap, err = parseSize(v)
		case "hugepages":
			c.HugePages, err = strconv.ParseInt(v, 10, 64)
		case "disks":
			c.Disks = strings.FieldsFunc(v, func(r rune) bool { return r == ',' })
			if c.Disks == nil {
				c.Disks = []string{}
			}
		case "zswap", "psi":
			if v != "on" && v != "off" {
				err = fmt.Errorf("want on or off")
			}
			if name == "zswap" {
				c.NoZswap = v == "off"
			} else {
				c.NoPSI = v == "off"
			}
		case "uptime":
			c.Uptime, err = time.ParseDuration(v)
		default:
			err = fmt.Errorf("no such option")
		}
		if err != nil {
			return c, fmt.Errorf("boot %s: %w", w, err)
		}
	}
	return c, nil
}
