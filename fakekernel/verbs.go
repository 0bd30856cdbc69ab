package fakekernel

import (
	"fmt"
	"strings"
	"time"
)

// verb is a row of the scenario language: how many words it wants, how it reads in a usage message, and what it does.
type verb struct {
	usage string
	min   int
	max   int // -1: any
	do    func(k *Kernel, args []string) error
}

const anyNumber = -1

// verbs are the commands that change a Kernel and nothing else. Those that also touch the code under test (boot, daemon,
// read, list, tick) are in script.go.
var verbs = map[string]verb{
	"cgroup": {"cgroup create|remove PATH [controllers=A,B]", 2, 3, func(k *Kernel, a []string) error {
		switch a[0] {
		case "create":
			return k.CgroupCreate(a[1], a[2:]...)
		case "remove":
			return k.CgroupRemove(a[1])
		}
		return fmt.Errorf("cgroup %s: want create or remove", a[0])
	}},
	"limit": {"limit memory|high|low|min|soft|swap|memsw|swappiness|zswap|cpu|weight|cpuset|io|hugetlb|pids PATH VALUE...", 3, anyNumber, func(k *Kernel, a []string) error {
		return k.Limit(a[0], a[1], strings.Join(a[2:], " "))
	}},
	"charge": {"charge PATH|NAME KEY=SIZE... [oom=kill]", 2, anyNumber, func(k *Kernel, a []string) error { return k.Charge(a[0], a[1:]...) }},
	"swap":   {"swap PATH|NAME out=SIZE|in=SIZE", 2, anyNumber, func(k *Kernel, a []string) error { return k.Swap(a[0], a[1:]...) }},
	"spawn": {"spawn NAME in PATH [pidns=new|host|of:NAME] [parent=NAME] [threads=N] [comm=TEXT] [uid=N] [personality=HEX]", 3, anyNumber, func(k *Kernel, a []string) error {
		if err := word(a[1], "in"); err != nil {
			return err
		}
		_, err := k.Spawn(a[0], a[2], a[3:]...)
		return err
	}},
	"run": {"run NAME [user=CPUS] [system=CPUS] [nice=N] [state=R|S|D]", 2, anyNumber, func(k *Kernel, a []string) error { return k.Run(a[0], a[1:]...) }},
	"move": {"move NAME to PATH", 3, 3, func(k *Kernel, a []string) error {
		if err := word(a[1], "to"); err != nil {
			return err
		}
		return k.Move(a[0], a[2])
	}},
	"kill": {"kill NAME", 1, 1, func(k *Kernel, a []string) error { return k.Kill(a[0]) }},
	"reuse": {"reuse NAME|PID as NAME in PATH [options of spawn]", 5, anyNumber, func(k *Kernel, a []string) error {
		if err := word(a[1], "as"); err != nil {
			return err
		}
		if err := word(a[3], "in"); err != nil {
			return err
		}
		return k.Reuse(a[0], a[2], a[4], a[5:]...)
	}},
	"io":      {"io NAME|PATH DEVICE [read=SIZE] [write=SIZE] [discard=SIZE] [reads=N] [writes=N] [discards=N]", 3, anyNumber, func(k *Kernel, a []string) error { return k.IO(a[0], a[1], a[2:]...) }},
	"hotplug": {"hotplug CPU on|off", 2, 2, func(k *Kernel, a []string) error { return k.Hotplug(a[0], a[1]) }},
	"freeze":  {"freeze PATH", 1, 1, func(k *Kernel, a []string) error { return k.Freeze(a[0]) }},
	"thaw":    {"thaw PATH", 1, 1, func(k *Kernel, a []string) error { return k.Thaw(a[0]) }},
	"stall":   {"stall PATH cpu|memory|io [some=DURATION] [full=DURATION]", 3, 4, func(k *Kernel, a []string) error { return k.Stall(a[0], a[1], a[2:]...) }},
	"write": {"write FILE TEXT...", 1, anyNumber, func(k *Kernel, a []string) error {
		return k.Write(a[0], strings.ReplaceAll(strings.Join(a[1:], " "), `\n`, "\n"))
	}},
	"fail":   {"fail FILE ERRNO|0", 2, 2, func(k *Kernel, a []string) error { return k.Fail(a[0], a[1]) }},
	"remove": {"remove FILE", 1, 1, func(k *Kernel, a []string) error { return k.RemoveFile(a[0]) }},
}

func word(got, want string) error {
	if got != want {
		return fmt.Errorf("%q: want the word %q", got, want)
	}
	return nil
}

// Do runs one verb of the scenario language given as words: Do("limit", "memory", "/lxc/web", "512M"). It knows the verbs that
// change a Kernel, tick among them; boot, daemon, read and list belong to a script.
func (k *Kernel) Do(name string, args ...string) error {
	if name == "tick" {
		if len(args) != 1 {
			return fmt.Errorf("usage: tick DURATION")
		}
		d, err := parseTick(args[0])
		if err != nil {
			return err
		}
		return k.Tick(d)
	}
	v, ok := verbs[name]
	if !ok {
		return fmt.Errorf("%s: want one of %s", name, strings.Join(sortedKeys(verbs), ", "))
	}
	if len(args) < v.min || v.max >= 0 && len(args) > v.max {
		return fmt.Errorf("usage: %s", v.usage)
	}
	return v.do(k, args)
}

func parseTick(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d%time.Microsecond != 0 || d > 1000*time.Hour {
		return 0, fmt.Errorf("tick %s: want a duration such as 5s, of whole microseconds", s)
	}
	return d, nil
}
