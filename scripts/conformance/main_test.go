//go:build integration

// Package conformance holds the fake kernel against a real one: the same scenario files are lived through by both, and what
// package core then shows is compared field by field.
//
//	go test -tags integration ./scripts/conformance
//
// needs root and cgroups. It runs testdata/conformance and those of testdata/script that a real kernel can do.
//
// # What happens
//
// The verbs of a scenario are done first on this machine's kernel: cgroups below a private one, processes that are forked and
// allocate, spin, read and write. The moment of each is noted. The fake is then booted as a machine like this one (layout,
// release, CPUs, memory, swap, disks) and lives through the same verbs at the same moments, so that what took a while there takes
// as long here. At each "read" and "list", and at the end for every file and process, package core answers over both. What a
// script says of the fake's answers (stdout, cmp) is not looked at: the real kernel's answer is what is right.
//
// A scenario on which they differ is lived through again, three times at most: what else the machine has to do is no difference.
//
// Each field has its tolerance, with a reason, in the table tolerances; what is not there must be equal. Lines that are the
// host's are not compared. The files themselves are compared too: names in a new cgroup, and keys of memory.stat and others.
//
// # What a real kernel cannot do
//
// write, fail, remove, reuse, stall, charges other than of anonymous, shared and file pages, states R and S at will, a host
// archive, and more time than eight seconds: a scenario with one of these is reported as "fake only", with the line. One that
// wants more CPUs, memory, swap or another release than there is, or a guest, is reported as "not here".
//
// # Where fake and kernel are known to differ
//
// Differences of kernel files' names and keys are the table exceptions, each with its reason. Fields of served files that differ
// for a reason that is written down are the table known: they are counted apart and fail nothing. Whatever else differs is wrong.
//
// # In guests
//
//	make vm-conformance CONFORMANCE="6.12:v2 6.18:v2"
//
// runs scripts/testbed/vm-conformance.sh: swap and a scratch disk are wanted. An emulated processor takes twenty times as long; times are compared four times as loosely.
package conformance

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

var (
	host    *machine
	stage   *arena
	running struct {
		sync.Mutex
		real *real
	}
)

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) (status int) {
	if os.Getuid() != 0 {
		fmt.Fprintln(os.Stderr, "conformance: wants root")
		return 1
	}
	var err error
	if host, err = lookAround(); err == nil {
		err = host.sweep()
	}
	if err == nil {
		err = hurry()
	}
	if err == nil {
		stage, err = newArena()
	}
	if err == nil {
		err = (&real{m: host, arena: stage}).prepare()
	}
	results.machine = host
	defer func() {
		if err := errors.Join(err, leave()); err != nil {
			fmt.Fprintln(os.Stderr, "conformance:", err)
			status = 1
		}
	}()
	if err != nil {
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	go func() {
		<-stop
		running.Lock() // for good: the scenario ends here
		var err error
		if running.real != nil {
			err = running.real.close()
		}
		if err := errors.Join(err, leave()); err != nil {
			fmt.Fprintln(os.Stderr, "conformance:", err)
		}
		results.print(os.Stdout)
		os.Exit(130)
	}()
	status = m.Run()
	results.print(os.Stdout)
	return status
}

// leave removes what was made for all scenarios.
func leave() error {
	if host == nil {
		return nil
	}
	var errs []error
	for i := range host.trees {
		if dir := filepath.Join(host.trees[i].mount, top); exists(dir) {
			errs = append(errs, removeTree(dir))
		}
	}
	if host.dir != "" {
		errs = append(errs, os.RemoveAll(host.dir))
	}
	return errors.Join(errs...)
}
