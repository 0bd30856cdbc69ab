package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lxcfs/cmd/internal/outcome"
	"lxcfs/cmd/internal/version"
	"lxcfs/core"
	"lxcfs/fuse"
	"lxcfs/fuse/keeper"
	"lxcfs/kernelfs"
)

// offEnv is in the environment while SIGUSR2 has switched virtualisation off: a worker that starts then, starts so.
const offEnv = "LXCFS_OFF"

// stopEnv is in the environment from a signal to stop on: it may come while this process is becoming the new program by execve(2).
const stopEnv = "LXCFS_STOP"

// hold mounts, and keeps the mount alive while workers that serve it come and go, until a signal or an unmount ends it.
func hold(c config, stderr io.Writer) (err error) {
	log := newLog(c, stderr)
	signals := catch(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	pid, err := inheritPidfile(c.pidfile)
	upgraded := pid != nil
	if !upgraded && err == nil {
		pid, err = lockPidfile(c.pidfile)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pid.remove(), outcome.Remove(c.pidfile)) }()

	program, err := keeper.Program()
	if err != nil {
		return err
	}
	cpus, err := possibleCPUs()
	if err != nil {
		return err
	}
	k, err := keeper.New(keeper.Options{
		Dir:       c.mountpoint,
		Program:   program,
		Args:      os.Args,
		History:   core.StateSize(maxContainers, cpus),
		Writable:  c.view.PSIPoll,
		KeepMount: c.keepMount,
		Standby:   c.standby,
		Version:   version.String(),
		Minimal:   fuse.Minimal,
		Inherit:   pid.bequeath(),
		Log:       log,
	})
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if os.Getenv(stopEnv) != "" {
		stop()
	}
	tell := func(failure error) {
		if err := outcome.Write(c.pidfile, version.String(), failure); err != nil {
			log.Error("upgrade", "err", err)
		}
	}
	if upgraded {
		tell(nil)
	}
	go each(ctx, signals, func(s os.Signal) {
		switch s {
		case unix.SIGUSR1:
			// Other signals are heard meanwhile. When all goes well it does not return: another program does.
			go func() { tell(k.Upgrade(ctx)) }()
		case unix.SIGUSR2:
			toggle(stderr)
		default:
			os.Setenv(stopEnv, "1")
			stop()
		}
	})
	unlock, err := keepSignals()
	if err != nil {
		return err
	}
	defer unlock()
	return k.Run(ctx)
}

// keepSignals blocks this thread's signals; others take them. An upgrade calls execve(2) from the thread that runs the keeper: blocked there, a
// signal waits until the new program listens (os/signal unblocks what is asked for), and does not end it before it can unmount.
func keepSignals() (unlock func(), err error) {
	runtime.LockOSThread()
	var set unix.Sigset_t
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2} {
		set.Val[0] |= 1 << (s - 1)
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
		return nil, fmt.Errorf("signal mask: %w", err)
	}
	return func() {
		// Best effort: the process is about to end.
		_ = unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil)
		runtime.UnlockOSThread()
	}, nil
}

// toggle switches virtualisation for the workers there are and for those that will be.
func toggle(stderr io.Writer) {
	on := os.Getenv(offEnv) != ""
	var tell unix.Signal
	if on {
		os.Unsetenv(offEnv)
		tell = workerOn
	} else {
		os.Setenv(offEnv, "1")
		tell = workerOff
	}
	for _, pid := range children() {
		// A worker that ends meanwhile, or has no handler yet and ends by this, is followed by one that reads the environment.
		_ = unix.Kill(pid, tell)
	}
	sayVirtualized(stderr, on)
}

// children returns the children of this process: all are workers. proc_pid_children(5) lists them by the thread that started each.
func children() []int {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return nil
	}
	var pids []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread is gone, and its children are another's
		}
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// possibleCPUs returns one more than the highest CPU number this kernel can come to have.
func possibleCPUs() (int, error) {
	const file = "/sys/devices/system/cpu/possible"
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	list, err := kernelfs.ParseCPUList(file, text, nil)
	if err != nil {
		return 0, fmt.Errorf("possible CPUs: %w", err)
	}
	return max(1, list.Max()+1), nil
}
