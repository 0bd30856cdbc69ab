//go:build integration

package conformance

import (
	"path/filepath"
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

func live(t *testing.T, s *scenario) {
	r := &real{m: host, arena: stage, named: map[string]*task{}}
	running.Lock()
	running.real = r
	running.Unlock()
	b := &both{m: host}
	outcome := row{scenario: s.name, result: "FAILED"}
	defer func() { results.rows = append(results.rows, outcome) }()
	err := b.onReal(s, r)
	running.Lock()
	if err := r.close(); err != nil {
		t.Errorf("removing the scenario: %v", err)
	}
	running.real = nil
	running.Unlock()
	if err != nil {
		outcome.detail = err.Error()
		t.Fatal(err)
	}
	fake, err := b.onFake()
	if err != nil {
		outcome.detail = err.Error()
		t.Fatal(err)
	}
	var kernel []answer
	for _, e := range b.events {
		kernel = append(kernel, e.answers...)
	}
	if len(kernel) == 0 || len(kernel) != len(fake) {
		t.Fatalf("%d answers of the real kernel, %d of the fake", len(kernel), len(fake))
	}
	for i := range kernel {
		for _, w := range results.compare(s.name, fake[i], kernel[i]) {
			outcome.detail = w
			t.Error(w)
		}
	}
	if !t.Failed() {
		outcome.result = "same"
	}
}
