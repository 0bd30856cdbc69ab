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

// bootOptions are the words of boot that have a value.
var bootOptions = map[string]func(c *Config, v string) error{
	"kernel":    func(c *Config, v string) error { c.Kernel = v; return nil },
	"arch":      func(c *Config, v string) error { c.Arch = v; return nil },
	"cpus":      func(c *Config, v string) (err error) { c.CPUs, err = parseCount(v); return err },
	"threads":   func(c *Config, v string) (err error) { c.ThreadsPerCore, err = parseCount(v); return err },
	"package":   func(c *Config, v string) (err error) { c.CPUsPerPackage, err = parseCount(v); return err },
	"memory":    func(c *Config, v string) (err error) { c.Memory, err = parseMemory(v); return err },
	"swap":      func(c *Config, v string) (err error) { c.Swap, err = parseSize(v); return err },
	"hugepages": func(c *Config, v string) (err error) { c.HugePages, err = strconv.ParseInt(v, 10, 64); return err },
	"uptime":    func(c *Config, v string) (err error) { c.Uptime, err = time.ParseDuration(v); return err },
	"zswap":     func(c *Config, v string) (err error) { c.NoZswap, err = parseOff(v); return err },
	"psi":       func(c *Config, v string) (err error) { c.NoPSI, err = parseOff(v); return err },
	"disks": func(c *Config, v string) error {
		c.Disks = append([]string{}, strings.FieldsFunc(v, func(r rune) bool { return r == ',' })...)
		return nil
	},
}

// parseCount refuses 0, which in a [Config] is the default.
func parseCount(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("want 1 at least")
	}
	return n, nil
}

func parseMemory(v string) (int64, error) {
	n, err := parseSize(v)
	if err == nil && n < minMemory {
		err = fmt.Errorf("want 64M at least")
	}
	return n, err
}

func parseOff(v string) (bool, error) {
	if v != "on" && v != "off" {
		return false, fmt.Errorf("want on or off")
	}
	return v == "off", nil
}

func parseConfig(words []string) (Config, error) {
	c := Config{Swap: 2 << 30}
	for _, w := range words {
		if slices.Contains(layouts, w) {
			c.Layout = w
			continue
		}
		name, v, ok := strings.Cut(w, "=")
		set := bootOptions[name]
		if !ok || set == nil {
			return c, fmt.Errorf("boot %s: want legacy, hybrid, unified or one of %s with a value", w, strings.Join(sortedKeys(bootOptions), ", "))
		}
		if err := set(&c, v); err != nil {
			return c, fmt.Errorf("boot %s: %w", w, err)
		}
	}
	return c, nil
}
