package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// weather is a run: calms and storms in turn.
type weather struct {
	d  *daemon
	cs []*container

	calm, storm      tally
	killed, missed   int
	calmed, stormed  time.Duration
	first, last      sizes // at the end of the first calm and of the last
	highest          int   // the keeper's resident memory at the end of any, in kB
	sleeping, awaken int   // goroutines of the first worker and of the last
}

// run alternates until all has been done that was asked for.
func (w *weather) run() error {
	if err := w.rest(); err != nil {
		return err
	}
	w.first = w.last
	var err error
	if w.sleeping, err = w.d.goroutines(); err != nil {
		return err
	}
	for !w.over() {
		if err := w.blow(); err != nil {
			return err
		}
		if w.storm.bad() > 0 {
			break
		}
		if err := w.rest(); err != nil {
			return err
		}
	}
	w.awaken, err = w.d.goroutines()
	return err
}

func (w *weather) over() bool { return w.killed >= *kills && w.d.upgrades() >= *upgrades }

// rest reads undisturbed for a phase.
func (w *weather) rest() error {
	start := time.Now()
	time.Sleep(*phase)
	w.calm.add(collect(w.cs))
	w.calmed += time.Since(start)
	var err error
	w.last, err = w.d.sizes()
	w.highest = max(w.highest, w.last.keeper.resident)
	return err
}

// blow kills and upgrades for a phase. The reads that the last kill holds up are the storm's too.
func (w *weather) blow() error {
	start := time.Now()
	for time.Since(start) < *phase && !w.over() {
		time.Sleep(time.Duration(rand.Int64N(int64(*gap)) + int64(*gap)/4))
		toKill, toUpgrade := max(0, *kills-w.killed), max(0, *upgrades-w.d.upgrades())
		switch {
		case toKill+toUpgrade == 0:
		case rand.IntN(toKill+toUpgrade) < toUpgrade:
			w.d.upgrade() // it may fall into a kill; then another is asked for
		case w.d.kill():
			w.killed, w.missed = w.killed+1, 0
		default:
			if w.missed++; w.missed == 100 {
				return fmt.Errorf("no worker to kill any more: %s", w.d.lastWords())
			}
		}
	}
	w.storm.add(collect(w.cs))
	w.stormed += time.Since(start)
	return nil
}

// The bounds on size. The keeper's is the one promised; that a process has not grown leaves room for what the runtime
// does by itself: a thread more, a slice of the heap, a kernel file that was not read yet. Each is less than one for each kill.
const (
	keeperMemory = 10 << 10 // kB
	moreMemory   = 4 << 10  // kB
	moreThreads  = 6
	moreFiles    = 4
	moreRoutines = 8 // a parked reader for each client
)

// judge says what was seen and whether it was as it must be.
func (w *weather) judge() error {
	fmt.Printf("undisturbed, %v: %v\n", w.calmed.Round(time.Second), w.calm)
	fmt.Printf("disturbed, %v, %d kills, %d upgrades: %v\n", w.stormed.Round(time.Second), w.killed, w.d.upgrades(), w.storm)
	fmt.Printf("keeper: %v, then %v, at most %d kB\nworker: %v, then %v; %d goroutines, then %d\n",
		w.first.keeper, w.last.keeper, w.highest, w.first.worker, w.last.worker, w.sleeping, w.awaken)
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if w.calm.bad() > 0 {
		wrong("reads fail undisturbed: %s", w.calm.First)
	}
	if w.storm.bad() > 0 {
		wrong("reads failed: %s", w.storm.First)
	}
	if w.storm.Worst > time.Duration(*worst)*w.calm.Worst {
		wrong("worst read %v, undisturbed %v: more than %d times", w.storm.Worst, w.calm.Worst, *worst)
	}
	if w.highest > keeperMemory {
		wrong("the keeper takes %d kB, more than %d", w.highest, keeperMemory)
	}
	if err := w.last.keeper.grewFrom(w.first.keeper); err != nil {
		wrong("keeper: %w", err)
	}
	if err := w.last.worker.grewFrom(w.first.worker); err != nil {
		wrong("worker: %w", err)
	}
	if w.awaken > w.sleeping+moreRoutines {
		wrong("the last worker had %d goroutines, the first %d", w.awaken, w.sleeping)
	}
	return errors.Join(errs...)
}
