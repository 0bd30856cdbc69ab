//go:build integration

package conformance

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

const scripts = "../../testdata/"

// TestScenarios holds the fake against this machine's kernel.
func TestScenarios(t *testing.T) {
	for _, dir := range []string{"conformance", "script"} {
		files, err := filepath.Glob(scripts + dir + "/*.txtar")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s%s: no scenarios (%v)", scripts, dir, err)
		}
		for _, file := range files {
			s, err := load(file, host)
			if err != nil {
				t.Fatal(err)
			}
			s.name = dir + "/" + s.name
			switch {
			case s.absent:
				results.rows = append(results.rows, row{s.name, "not here", s.reason})
				continue
			case s.reason != "":
				results.rows = append(results.rows, row{s.name, "fake only", s.reason})
				continue
			}
			t.Run(s.name, func(t *testing.T) { live(t, s) })
		}
	}
}

// tries is how often a scenario may be lived through until both kernels agree. The machine has other things to do and may keep
// a process from what it is due; a difference that is there each time is none of these.
const tries = 3

func live(t *testing.T, s *scenario) {
	outcome := row{scenario: s.name, result: "FAILED"}
	defer func() { results.rows = append(results.rows, outcome) }()
	for try := 1; ; try++ {
		fake, kernel, err := once(s)
		if err != nil {
			outcome.detail = err.Error()
			t.Fatal(err)
		}
		wrong := results.compare(s.name, fake, kernel, try == tries)
		if len(wrong) == 0 {
			outcome.result = "same"
			if try > 1 {
				outcome.detail = fmt.Sprintf("at try %d", try)
			}
			return
		}
		if try == tries {
			outcome.detail = wrong[0]
			t.Fatal(strings.Join(wrong, "\n"))
		}
		t.Logf("try %d: %s", try, strings.Join(wrong, "\n"))
	}
}

// once lives through the scenario on both kernels and returns what was answered to the same questions.
func once(s *scenario) (fake, kernel []answer, err error) {
	r := &real{m: host, arena: stage, named: map[string]*task{}}
	running.Lock()
	running.real = r
	running.Unlock()
	b := &both{m: host}
	err = b.onReal(s, r)
	running.Lock()
	err = errors.Join(err, r.close())
	running.real = nil
	running.Unlock()
	if err == nil {
		fake, err = b.onFake()
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range b.events {
		kernel = append(kernel, e.answers...)
	}
	if len(kernel) == 0 || len(kernel) != len(fake) {
		return nil, nil, fmt.Errorf("%d answers of the real kernel, %d of the fake", len(kernel), len(fake))
	}
	return fake, kernel, nil
}
