package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// userHZ is the unit of the times in /proc/PID/stat, see proc_pid_stat(5); it is
// the same on every architecture Go runs on.
const userHZ = 100

// Usage is what the processes of a server have used and hold.
type Usage struct {
	CPU      time.Duration // from the CPU clocks, without reaped children
	User     time.Duration // in ticks of 10 ms
	System   time.Duration
	Children time.Duration // reaped children, in ticks
	// ChildFaults are page faults of reaped children. Every forked process has
	// some, so a daemon that does not fork has none.
	ChildFaults uint64
	RSS         int64
	FDs         int
	Threads     int
	Processes   int
}

// tree lists pid and its descendants.
func tree(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, list := range lists {
			text, err := os.ReadFile(list)
			if err != nil {
				continue // the thread has ended
			}
			for _, f := range strings.Fields(string(text)) {
				if child, err := strconv.Atoi(f); err == nil && !slices.Contains(all, child) {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// usage adds up what the process trees below the pids use. Without the root of a
// tree there is no figure; a descendant may end at any moment.
func usage(pids []int) (Usage, error) {
	var u Usage
	for _, root := range pids {
		for _, pid := range tree(root) {
			if err := u.add(pid); err != nil && pid == root {
				return u, err
			}
		}
	}
	return u, nil
}

func (u *Usage) add(pid int) error {
	dir := fmt.Sprintf("/proc/%d", pid)
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return err
	}
	s, err := parseStat(string(text))
	if err != nil {
		return fmt.Errorf("%s/stat: %w", dir, err)
	}
	// A process's CPU clock, as clock_getcpuclockid(3) makes it of its pid.
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
		return fmt.Errorf("CPU clock of %d: %w", pid, err)
	}
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return err
	}
	u.CPU += time.Duration(ts.Nano())
	u.User += s.user
	u.System += s.system
	u.Children += s.children
	u.ChildFaults += s.childFaults
	u.RSS += s.rss
	u.Threads += s.threads
	u.FDs += len(fds)
	u.Processes++
	return nil
}

type procStat struct {
	user, system, children time.Duration
	childFaults            uint64
	threads                int
	rss                    int64
}

// parseStat reads /proc/PID/stat, see proc_pid_stat(5). The command's name may hold
// blanks and parentheses: the fields are counted from the last parenthesis.
func parseStat(text string) (procStat, error) {
	i := strings.LastIndexByte(text, ')')
	f := strings.Fields(text[i+1:])
	if i < 0 || len(f) < 22 {
		return procStat{}, errors.New("too short")
	}
	var v [22]int64
	for n := 1; n < len(v); n++ { // f[0] is the state
		var err error
		if v[n], err = strconv.ParseInt(f[n], 10, 64); err != nil {
			return procStat{}, err
		}
	}
	const field = 3 // f[0] is field 3 of the manual page
	tick := func(n int) time.Duration { return time.Duration(v[n-field]) * time.Second / userHZ }
	return procStat{
		childFaults: uint64(v[11-field] + v[13-field]),
		user:        tick(14),
		system:      tick(15),
		children:    tick(16) + tick(17),
		threads:     int(v[20-field]),
		rss:         v[24-field] * int64(os.Getpagesize()),
	}, nil
}

// forks reads how many tasks the whole machine has started since it booted, threads
// included: "processes" in /proc/stat.
func forks() (uint64, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "processes "); ok {
			return strconv.ParseUint(strings.TrimSpace(n), 10, 64)
		}
	}
	return 0, errors.New("/proc/stat: no line processes")
}

// pin binds every thread of the process trees to a CPU, or to none.
func pin(pids []int, cpu int) error {
	var set unix.CPUSet
	for i := range 1024 {
		if cpu == anyCPU || i == cpu {
			set.Set(i)
		}
	}
	for _, root := range pids {
		for _, pid := range tree(root) {
			tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
			for _, task := range tasks {
				tid, err := strconv.Atoi(filepath.Base(task))
				if err != nil {
					return err
				}
				if err := unix.SchedSetaffinity(tid, &set); err != nil && err != unix.ESRCH {
					return fmt.Errorf("bind thread %d to CPU %d: %w", tid, cpu, err)
				}
			}
		}
	}
	return nil
}
