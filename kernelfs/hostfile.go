package kernelfs

import (
	"sync"
	"sync/atomic"
	"time"
)

// sharedFor is how old the text of the machine's own files may be where it is shared.
const sharedFor = 100 * time.Millisecond

// HostFile is a file, most often of the host, whose text may be shared for a while by all who ask.
type HostFile struct {
	*File
	ttl time.Duration

	text atomic.Pointer[hostText]

	mu    sync.Mutex // of who reads the file
	spare *hostText  // the text before, whose memory serves again when its readers have done
}

// hostText is what was read at one time. It stays as it is while it is the file's text or has readers.
type hostText struct {
	at      time.Time
	data    []byte
	readers atomic.Int32 // the passes that hold it, until their Reset
}

// Shared returns the file's text, at most its time to live old.
func (f *HostFile) Shared(s *Snapshot) ([]byte, error) {
	for i := range s.reads {
		if s.reads[i].file == f.File {
			return s.reads[i].Data, s.reads[i].Err
		}
	}
	if f.ttl == 0 {
		return s.Read(f.File)
	}
	t := f.fresh()
	if t == nil {
		var err error
		if t, err = f.refresh(); err != nil {
			s.reads = append(s.reads, Reading{Path: f.path, Err: err, file: f.File})
			return nil, err
		}
	}
	s.reads = append(s.reads, Reading{Path: f.path, Data: t.data, file: f.File, text: t})
	return t.data, nil
}

// fresh returns the text, for one more reader, or nil if it is older than may be.
func (f *HostFile) fresh() *hostText {
	t := f.text.Load()
	if t == nil {
		return nil
	}
	t.readers.Add(1)
	// Unless it is the file's text now that a reader is counted, somebody may be writing to it.
	if f.text.Load() != t || time.Since(t.at) > f.ttl {
		t.readers.Add(-1)
		return nil
	}
	return t
}

// refresh reads the text once for all who wait for it. New memory for each was a tenth of the cost of a read that
// comes alone: it is in no cache, and now and then the kernel has yet to give it.
func (f *HostFile) refresh() (*hostText, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.fresh(); t != nil {
		return t, nil
	}
	t := f.spare
	if t == nil || t.readers.Load() != 0 {
		t = &hostText{data: make([]byte, 0, f.size.Load()+512)}
		f.spare = t
	}
	data, err := f.appendTo(t.data[:0])
	if err != nil {
		return nil, err
	}
	t.at, t.data = time.Now(), data
	t.readers.Add(1)
	f.spare = f.text.Swap(t)
	return t, nil
}
