package kernelfs

import (
	"errors"
	"io/fs"
	"time"
)

// Snapshot is one pass of reads over the kernel's files: the same path gives the same bytes however
// often it is asked for, so that what is rendered from it agrees with itself, and every path read is
// remembered. Not safe for concurrent use. Bytes it returns are valid until Reset.
type Snapshot struct {
	fs    *FS
	arena []byte
	reads []Reading

	stat   MemoryStat // of statOf: several values of one pass come from the same memory.stat
	statOf *Cgroup

	began time.Time // the first read of a kept file
}

// A pass that took longer than slow makes the files that it read patient, for as many reads: a thread in
// one of those holds up nobody else.
const (
	slow     = 2 * time.Millisecond
	patience = 64
)

// Reading is one path that a Snapshot read.
type Reading struct {
	Path string
	Kind Kind
	Data []byte // content, link target, or names of a directory, one a line
	Err  error

	file *File
	text *hostText // that Data is of, if it was read for several passes
}

// Kind says how a path was read.
type Kind uint8

// A path is read as a file, as a symbolic link or as a directory.
const (
	ReadFile Kind = iota
	ReadLink
	ReadDir
)

// Snapshot starts a pass.
func (k *FS) Snapshot() *Snapshot { return &Snapshot{fs: k} }

// FS returns the kernel files the pass reads.
func (s *Snapshot) FS() *FS { return s.fs }

// Reset forgets what was read; its memory is used again.
//
// Kept files are read without telling Go's runtime, which then cannot have another thread go on in the
// meantime. Whoever comes in while the kernel takes long for once has to wait; while it keeps taking
// long, one reader in [patience] does. (A pass may also have been slow because others had the CPU, at a
// small price.)
func (s *Snapshot) Reset() {
	if !s.began.IsZero() {
		if time.Since(s.began) > slow {
			for i := range s.reads {
				if f := s.reads[i].file; f != nil {
					f.patience.Store(patience)
				}
			}
		}
		s.began = time.Time{}
	}
	// A pass over a big host must not keep its memory in the pool for ever.
	if cap(s.arena) > 1<<18 {
		s.arena = nil
	}
	s.arena = s.arena[:0]
	for i := range s.reads {
		if t := s.reads[i].text; t != nil {
			t.readers.Add(-1)
		}
	}
	clear(s.reads)
	s.reads = s.reads[:0]
	s.statOf = nil
}

// Readings returns what was read so far, in order.
func (s *Snapshot) Readings() []Reading { return s.reads }

// Read returns the content of f.
func (s *Snapshot) Read(f *File) ([]byte, error) {
	for i := range s.reads {
		if s.reads[i].file == f {
			return s.reads[i].Data, s.reads[i].Err
		}
	}
	if s.began.IsZero() {
		s.began = time.Now()
	}
	start := len(s.arena)
	data, err := f.appendTo(s.arena)
	if err == nil {
		s.arena = data
		data = data[start:len(data):len(data)]
	} else {
		data = nil
	}
	s.reads = append(s.reads, Reading{Path: f.path, Data: data, Err: err, file: f})
	return data, err
}

// ReadPath returns the content of the file at path, for files not worth keeping open.
func (s *Snapshot) ReadPath(path string) ([]byte, error) {
	if r := s.find(path, ReadFile); r != nil {
		return r.Data, r.Err
	}
	data, err := s.fs.readFile(path)
	s.reads = append(s.reads, Reading{Path: path, Data: data, Err: err})
	return data, err
}

// Link returns the target of the symbolic link at path.
func (s *Snapshot) Link(path string) (string, error) {
	if r := s.find(path, ReadLink); r != nil {
		return string(r.Data), r.Err
	}
	target, err := s.fs.readlink(path)
	s.reads = append(s.reads, Reading{Path: path, Kind: ReadLink, Data: []byte(target), Err: err})
	return target, err
}

// Dir returns the entries of the directory at path, ordered by name.
func (s *Snapshot) Dir(path string) ([]fs.FileInfo, error) {
	list, err := s.fs.readDir(path)
	if s.find(path, ReadDir) == nil {
		var names []byte
		for _, fi := range list {
			names = append(append(names, fi.Name()...), '\n')
		}
		s.reads = append(s.reads, Reading{Path: path, Kind: ReadDir, Data: names, Err: err})
	}
	return list, err
}

func (s *Snapshot) find(path string, kind Kind) *Reading {
	for i := range s.reads {
		if s.reads[i].Kind == kind && s.reads[i].Path == path {
			return &s.reads[i]
		}
	}
	return nil
}

// Missing reports whether err means that the kernel has no such file now: it never had it, the
// cgroup was removed (ENODEV), the process is gone (ESRCH), or the controller is not enabled.
func Missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errGone)
}
