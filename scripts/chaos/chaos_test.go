package main

import (
	"strings"
	"testing"
	"time"
)

// good is a run in which nothing is wrong.
func good() *weather {
	return &weather{
		d:    &daemon{},
		calm: tally{Ops: 1000, Worst: 10 * time.Millisecond}, storm: tally{Ops: 1000, Worst: 99 * time.Millisecond},
		first:    sizes{keeper: size{6000, 2000, 10, 14}, worker: size{12000, 6000, 7, 54}},
		last:     sizes{keeper: size{6500, 2100, 11, 14}, worker: size{12500, 6500, 8, 55}},
		highest:  7000,
		sleeping: 17, awaken: 21,
	}
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		reason string
		change func(*weather)
		want   string // in the verdict; "" for a good one
	}{
		{"nothing is wrong", func(*weather) {}, ""},
		{"a read failed", func(w *weather) { w.storm.Failed = 1 }, "reads failed"},
		{"another container's numbers", func(w *weather) { w.storm.Wrong = 1 }, "reads failed"},
		{"a counter fell", func(w *weather) { w.storm.Decreased = 1 }, "reads failed"},
		{"a reader hangs", func(w *weather) { w.storm.Hung = 1 }, "reads failed"},
		{"not because of us", func(w *weather) { w.calm.Failed = 1 }, "undisturbed"},
		{"a long pause", func(w *weather) { w.storm.Worst = 101 * time.Millisecond }, "more than 10 times"},
		{"a big keeper", func(w *weather) { w.highest = 10<<10 + 1 }, "the keeper takes"},
		{"a leak of memory", func(w *weather) { w.last.keeper.written += 8 << 10 }, "keeper: grew"},
		{"a leak of descriptors", func(w *weather) { w.last.worker.fds += 10 }, "worker: grew"},
		{"a leak of threads", func(w *weather) { w.last.worker.threads += 10 }, "worker: grew"},
		{"a leak of goroutines", func(w *weather) { w.awaken += 10 }, "goroutines"},
	} {
		w := good()
		tt.change(w)
		if err := w.judge(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.reason, err, tt.want)
		}
	}
}

func TestControl(t *testing.T) {
	if control(tally{Ops: 100}) == nil {
		t.Error("a control run without a failure passes")
	}
	if err := control(tally{Ops: 100, Hung: 8}); err != nil {
		t.Error(err)
	}
}

// What containers read is held against what they are and against what they read before.
func TestCheck(t *testing.T) {
	r := &reader{limit: 65536, last: map[string]float64{}}
	for _, tt := range []struct {
		name, text string
		want       tally
	}{
		{"meminfo", "MemTotal: 65536 kB\n", tally{}},
		{"meminfo", "MemTotal: 65537 kB\n", tally{Wrong: 1}},
		{"meminfo", "MemTotal: 65536 k", tally{Failed: 1}},
		{"uptime", "10.50 20.00\n", tally{}},
		{"uptime", "10.40 20.00\n", tally{Decreased: 1}},
		{"stat", "cpu  1 2 3 4 5 6 7 8 9 10\n", tally{}},
		{"stat", "cpu  1 2 3 3 5 6 7 8 9 10\n", tally{Decreased: 1}},
		{"loadavg", "0.00 0.00 0.00 1/2\n", tally{Failed: 1}},
		{"swaps", "\n", tally{Failed: 1}},
		{"diskstats", "", tally{}},
		{"cpuinfo", "", tally{Failed: 1}},
	} {
		r.t = tally{}
		r.check(tt.name, tt.text)
		if r.t.First = ""; r.t != tt.want {
			t.Errorf("%s %q: %+v, want %+v", tt.name, tt.text, r.t, tt.want)
		}
	}
}
