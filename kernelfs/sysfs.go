package kernelfs

import (
	"io"
	"io/fs"
	"strings"
)

// The tree of CPU devices is served as the host has it, so names in it come from requests. Each is
// checked here (no empty element, no "..") and, on the machine's own files, resolved inside the tree
// whatever symbolic links it holds.

// cpuPath returns the host's path of rel, a slash-separated path below the tree; "." is the tree.
func cpuPath(rel string) (string, error) {
	if !fs.ValidPath(rel) || strings.IndexByte(rel, 0) >= 0 {
		return "", &fs.PathError{Op: "read", Path: rel, Err: fs.ErrNotExist}
	}
	if rel == "." {
		return cpuDir, nil
	}
	return cpuDir + "/" + rel, nil
}

// CPUStat returns what stands at rel in /sys/devices/system/cpu, symbolic links not followed.
func (s *Snapshot) CPUStat(rel string) (fs.FileInfo, error) {
	path, err := cpuPath(rel)
	if err != nil {
		return nil, err
	}
	if h := s.fs.host; h != nil {
		fi, err := h.cpus.Lstat(rel)
		if err != nil {
			return nil, pathError(path, err)
		}
		return fi, nil
	}
	return s.fs.lstat(path)
}

// CPURead returns the content of the file rel in /sys/devices/system/cpu.
func (s *Snapshot) CPURead(rel string) ([]byte, error) {
	path, err := cpuPath(rel)
	if err != nil {
		return nil, err
	}
	h := s.fs.host
	if h == nil {
		return s.ReadPath(path)
	}
	f, err := h.cpus.Open(rel)
	if err != nil {
		return nil, pathError(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, pathError(path, err)
	}
	return data, nil
}

// CPULink returns the target of the symbolic link rel in /sys/devices/system/cpu.
func (s *Snapshot) CPULink(rel string) (string, error) {
	path, err := cpuPath(rel)
	if err != nil {
		return "", err
	}
	h := s.fs.host
	if h == nil {
		return s.Link(path)
	}
	target, err := h.cpus.Readlink(rel)
	if err != nil {
		return "", pathError(path, err)
	}
	return target, nil
}

// CPUDir returns the entries of the directory rel in /sys/devices/system/cpu.
func (s *Snapshot) CPUDir(rel string) ([]fs.FileInfo, error) {
	path, err := cpuPath(rel)
	if err != nil {
		return nil, err
	}
	h := s.fs.host
	if h == nil {
		return s.Dir(path)
	}
	dir, err := h.cpus.Open(rel)
	if err != nil {
		return nil, pathError(path, err)
	}
	defer dir.Close()
	list, err := dir.Readdir(-1)
	if err != nil {
		return nil, pathError(path, err)
	}
	return list, nil
}
