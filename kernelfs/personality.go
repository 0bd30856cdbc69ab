package kernelfs

import (
	"fmt"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// perLinux32 is PER_LINUX32 of include/uapi/linux/personality.h, the personality of a 32-bit world on
// a 64-bit kernel (setarch(8)).
const perLinux32 = 0x0008

// compatCPUInfo says that /proc/cpuinfo depends on who reads it: arm64 lists the features that a 32-bit
// program may use, under their 32-bit names, for readers with PER_LINUX32.
const compatCPUInfo = runtime.GOARCH == "arm64"

// CPUInfoFor returns the text of /proc/cpuinfo as the kernel shows it to pid.
func (s *Snapshot) CPUInfoFor(pid int) ([]byte, error) {
	if compatCPUInfo && s.compat(pid) {
		return readAs(perLinux32, s.fs.CPUInfo.Path(), s.fs)
	}
	return s.fs.CPUInfo.Shared(s)
}

// compat reports from /proc/PID/personality, a hexadecimal number, whether pid has PER_LINUX32.
func (s *Snapshot) compat(pid int) bool {
	text, err := s.ReadPath("/proc/" + strconv.Itoa(pid) + "/personality")
	if err != nil || len(text) < 8 {
		return false
	}
	n, err := strconv.ParseUint(string(text[:8]), 16, 32)
	return err == nil && n&0xff == perLinux32 // PER_MASK
}

// readAs reads the file at path with a thread that has the given personality meanwhile.
func readAs(personality uint, path string, k *FS) ([]byte, error) {
	runtime.LockOSThread()
	old, _, errno := unix.Syscall(unix.SYS_PERSONALITY, uintptr(personality), 0, 0)
	if errno != 0 {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("personality %#x: %w", personality, errno)
	}
	text, err := k.readFile(path)
	_, _, errno = unix.Syscall(unix.SYS_PERSONALITY, old, 0, 0)
	if errno != 0 {
		// Still locked: the thread ends with this goroutine instead of serving others as it is.
		return nil, fmt.Errorf("personality %#x: %w", old, errno)
	}
	runtime.UnlockOSThread()
	return text, err
}
