package fakekernel

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Run runs every script of params.Dir (or params.Files) against the code under test: once under each of legacy, hybrid and
// unified if it says $layout, else once. params.Setup, Cmds and the rest keep their testscript meaning. Host archives are
// looked for beside the scripts, in ../hosts and in the script itself.
func Run(t *testing.T, params testscript.Params, newSubject NewSubject) {
	t.Helper()
	runAll(goT{t}, params, newSubject)
}

// runAll is Run with any T.
func runAll(t testscript.T, params testscript.Params, newSubject NewSubject) {
	files := params.Files
	if params.Dir != "" {
		for _, pattern := range []string{"*.txtar", "*.txt"} {
			found, err := filepath.Glob(filepath.Join(params.Dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, found...)
		}
		if len(files) == 0 {
			t.Fatal("no scripts in " + params.Dir)
		}
	}
	slices.Sort(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		matrix := []string{""}
		if strings.Contains(string(text), "$layout") {
			matrix = layouts
		}
		for _, layout := range matrix {
			run := func(t testscript.T) { runOne(t, params, file, text, layout, newSubject, nil) }
			if layout == "" {
				run(t)
			} else {
				t.Run(layout, run)
			}
		}
	}
}

// runOne runs one script once.
func runOne(t testscript.T, params testscript.Params, file string, text []byte, layout string, newSubject NewSubject, trace io.Writer) {
	s := &script{newSubject: newSubject, layout: layout, trace: trace}
	s.hosts = []string{filepath.Dir(file), filepath.Join(filepath.Dir(file), "..", "hosts")}
	copied, done, err := respell(file, text, params.UpdateScripts)
	if err != nil {
		t.Fatal(err)
	}
	params.Dir, params.Files = "", []string{copied}
	setup, condition, cmds := params.Setup, params.Condition, params.Cmds
	params.Setup = func(env *testscript.Env) error {
		env.Setenv("layout", layout)
		s.hosts = append(s.hosts, env.WorkDir)
		if setup != nil {
			return setup(env)
		}
		return nil
	}
	params.Condition = func(cond string) (bool, error) {
		if slices.Contains(layouts, cond) {
			return cond == s.currentLayout(), nil
		}
		if condition != nil {
			return condition(cond)
		}
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	params.Cmds = s.commands()
	for name, cmd := range cmds {
		params.Cmds[name] = cmd
	}
	testscript.RunT(after{t, s, done}, params)
}

// after runs done when the script has ended, whatever its end. One that booted nothing has tried nothing, and fails.
type after struct {
	testscript.T
	s    *script
	done func()
}

func (a after) Run(name string, f func(testscript.T)) {
	a.T.Run(name, func(t testscript.T) {
		defer a.done()
		f(t)
		if a.s.k == nil {
			t.Fatal("no boot: the script tries nothing")
		}
	})
}

// goT is *testing.T as testscript wants it.
type goT struct{ *testing.T }

func (t goT) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(goT{t}) })
}

func (t goT) Verbose() bool { return testing.Verbose() }

// testscript has a command of its own called kill, and its own commands cannot be replaced. So a script is run as a copy in
// which our kill is spelt differently; an updated copy is spelt back.
const ownKill = "kill_"

func respell(file string, text []byte, update bool) (string, func(), error) {
	dir, err := os.MkdirTemp("", "scenario")
	if err != nil {
		return "", nil, err
	}
	copied := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(copied, respellVerb(text, "kill", ownKill), 0o600); err != nil {
		return "", nil, err
	}
	return copied, func() {
		defer os.RemoveAll(dir)
		now, err := os.ReadFile(copied)
		if err != nil || !update {
			return
		}
		if back := respellVerb(now, ownKill, "kill"); string(back) != string(text) {
			if err := os.WriteFile(file, back, 0o644); err != nil {
				panic(err)
			}
		}
	}, nil
}

// respellVerb replaces a command's name on the lines of a script before its first file.
func respellVerb(text []byte, from, to string) []byte {
	var out strings.Builder
	inScript := true
	for line := range strings.Lines(string(text)) {
		inScript = inScript && !strings.HasPrefix(line, "-- ")
		if inScript {
			line = respellLine(line, from, to)
		}
		out.WriteString(line)
	}
	return []byte(out.String())
}

func respellLine(line, from, to string) string {
	rest := line
	for {
		rest = strings.TrimLeft(rest, " \t")
		switch {
		case strings.HasPrefix(rest, "!"):
			rest = rest[1:]
			continue
		case strings.HasPrefix(rest, "["):
			if _, after, ok := strings.Cut(rest, "]"); ok {
				rest = after
				continue
			}
		}
		break
	}
	if name, _, _ := strings.Cut(strings.TrimRight(rest, "\n"), " "); name != from {
		return line
	}
	return line[:len(line)-len(rest)] + to + rest[len(from):]
}
