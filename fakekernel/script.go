package fakekernel

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Subject is the code under test, as a scenario sees it.
type Subject interface {
	// Read returns the served file as the thread pid, running as uid, sees it; pid 0 is a caller the daemon cannot see.
	Read(pid int, uid uint32, file string) ([]byte, error)
	// List returns the names in a served directory.
	List(pid int, dir string) ([]string, error)
	// Tick is called every 5 s of the kernel's time.
	Tick()
}

// NewSubject makes the code under test on a kernel, with the words of the script's daemon verb.
type NewSubject func(k *Kernel, args ...string) (Subject, error)

// tickEvery is how often a Subject is ticked.
const tickEvery = 5 * time.Second

// script is the state of one running scenario.
type script struct {
	newSubject NewSubject
	hosts      []string // directories with host archives
	layout     string   // of the matrix; a boot may choose another
	daemon     []string
	k          *Kernel
	subject    Subject
	sinceTick  time.Duration
	trace      io.Writer // nil: no tracing
	answer     string    // of the verb read or list that runs, for the trace
}

func (s *script) currentLayout() string {
	if s.k != nil {
		return s.k.Layout()
	}
	return s.layout
}

// commands are the verbs as testscript commands. A verb after "!" must fail; its error goes to stderr.
func (s *script) commands() map[string]func(*testscript.TestScript, bool, []string) {
	cmds := map[string]func(*testscript.TestScript, bool, []string){}
	add := func(name string, do func(*testscript.TestScript, []string) error) {
		cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			before := s.traced()
			err := do(ts, args)
			s.showTrace(before, name, args)
			switch {
			case err != nil && !neg:
				ts.Fatalf("%s: %v", strings.TrimSuffix(name, "_"), err)
			case err == nil && neg:
				ts.Fatalf("%s: succeeded, and should have failed", strings.TrimSuffix(name, "_"))
			case err != nil:
				fmt.Fprintf(ts.Stderr(), "%v (%s)\n", err, errnoName(err))
			}
		}
	}
	for name := range verbs {
		spelt := name
		if name == "kill" {
			spelt = ownKill
		}
		add(spelt, func(_ *testscript.TestScript, args []string) error {
			if s.k == nil {
				return fmt.Errorf("boot a host first")
			}
			return s.k.Do(name, args...)
		})
	}
	s.addSubjectCommands(add)
	return cmds
}

// addSubjectCommands adds the verbs that touch the code under test.
func (s *script) addSubjectCommands(add func(string, func(*testscript.TestScript, []string) error)) {
	add("boot", func(_ *testscript.TestScript, args []string) error { return s.boot(args) })
	add("daemon", func(ts *testscript.TestScript, args []string) error {
		s.daemon = args
		if s.k == nil {
			return nil
		}
		return s.start()
	})
	add("tick", func(_ *testscript.TestScript, args []string) error { return s.tick(args) })
	add("read", func(ts *testscript.TestScript, args []string) error {
		pid, uid, err := s.caller("read FILE as NAME [uid=N]", args)
		if err != nil {
			return err
		}
		b, err := s.subject.Read(pid, uid, args[0])
		if err == nil {
			err = s.say(ts, string(b))
		}
		return err
	})
	add("list", func(ts *testscript.TestScript, args []string) error {
		pid, _, err := s.caller("list DIR as NAME", args)
		if err != nil {
			return err
		}
		names, err := s.subject.List(pid, args[0])
		if err == nil && len(names) > 0 {
			err = s.say(ts, strings.Join(names, "\n")+"\n")
		}
		return err
	})
}

// say makes an answer the script's stdout.
func (s *script) say(ts *testscript.TestScript, answer string) error {
	s.answer = answer
	_, err := io.WriteString(ts.Stdout(), answer)
	return err
}

// caller reads "FILE as NAME [uid=N]". NAME is a spawned process, a pid, or init; 0 is a caller the daemon cannot see.
func (s *script) caller(usage string, args []string) (pid int, uid uint32, err error) {
	if s.subject == nil {
		return 0, 0, fmt.Errorf("boot a host first")
	}
	if len(args) < 3 || len(args) > 4 || args[1] != "as" {
		return 0, 0, fmt.Errorf("usage: %s", usage)
	}
	if pid, err = s.k.PID(args[2]); err != nil {
		return 0, 0, err
	}
	uid = s.k.UID(args[2])
	if len(args) == 4 {
		v, ok := strings.CutPrefix(args[3], "uid=")
		n, err := strconv.ParseUint(v, 10, 32)
		if !ok || err != nil {
			return 0, 0, fmt.Errorf("usage: %s", usage)
		}
		uid = uint32(n)
	}
	return pid, uid, nil
}

// boot is the verb boot: a layout with options, or a host archive by name.
func (s *script) boot(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: boot legacy|hybrid|unified|HOST [kernel=6.12] [cpus=4] [memory=8G] [swap=2G]")
	}
	k, err := s.host(args)
	if err != nil {
		return err
	}
	s.k, s.sinceTick = k, 0
	return s.start()
}

func (s *script) host(args []string) (*Kernel, error) {
	if slices.Contains(layouts, args[0]) {
		return Boot(args...)
	}
	if len(args) > 1 {
		return nil, fmt.Errorf("boot %s: a host archive takes no options", args[0])
	}
	for _, dir := range s.hosts {
		for _, name := range []string{args[0], args[0] + ".txtar"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil {
				return Load(b)
			}
		}
	}
	return nil, fmt.Errorf("boot %s: no such layout, and no archive in %s", args[0], strings.Join(s.hosts, ", "))
}

func (s *script) start() (err error) {
	s.subject, err = s.newSubject(s.k, s.daemon...)
	return err
}

// tick lets time pass, and ticks the subject at every multiple of 5 s since boot.
func (s *script) tick(args []string) error {
	if s.k == nil || len(args) != 1 {
		return fmt.Errorf("usage: tick DURATION, after boot")
	}
	left, err := parseTick(args[0])
	if err != nil {
		return err
	}
	for left > 0 {
		d := min(left, tickEvery-s.sinceTick)
		if err := s.k.Tick(d); err != nil {
			return err
		}
		left -= d
		if s.sinceTick += d; s.sinceTick == tickEvery {
			s.sinceTick = 0
			s.subject.Tick()
		}
	}
	return nil
}
