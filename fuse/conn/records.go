package conn

import (
	"encoding/binary"
	"sync/atomic"
)

// AddName appends name with its mode to the names a successor finds. It reports false when there is no room left.
// Only one worker may write at a time.
func (s *State) AddName(name string, mode uint32) bool {
	used := int(*s.u64(offNames))
	need := 8 + (len(name)+7)/8*8
	if used+need > namesSize || len(name) == 0 {
		return false
	}
	b := s.mem[namesOff+used:]
	binary.NativeEndian.PutUint32(b, uint32(len(name)))
	binary.NativeEndian.PutUint32(b[4:], mode)
	copy(b[8:], name)
	atomic.StoreUint64(s.u64(offNames), uint64(used+need))
	return true
}

// Names calls yield with every name and its mode, in the order they were added.
func (s *State) Names(yield func(name string, mode uint32) bool) {
	used := min(int(atomic.LoadUint64(s.u64(offNames))), namesSize)
	for off := 0; off+8 <= used; {
		b := s.mem[namesOff+off : namesOff+used]
		n, mode := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
		if n == 0 || n > len(b)-8 || !yield(string(b[8:8+n]), mode) {
			return
		}
		off += 8 + (n+7)/8*8
	}
}

// SetDone records that the reader of the open file fh has got all size bytes of its content; size < 0 forgets that. It
// lets a successor answer end of file, where a fresh rendering could be some bytes longer than what was read.
func (s *State) SetDone(fh uint64, size int) {
	p := s.u64(doneOff + int(fh%doneFiles)*8)
	if size >= 0 {
		atomic.StoreUint64(p, doneTag(fh)|uint64(size)+1)
	} else if v := atomic.LoadUint64(p); v != 0 && v&^doneSize == doneTag(fh) {
		atomic.StoreUint64(p, 0)
	}
}

// Done returns what SetDone recorded for fh, if it has not been overwritten.
func (s *State) Done(fh uint64) (size int, ok bool) {
	v := atomic.LoadUint64(s.u64(doneOff + int(fh%doneFiles)*8))
	if v&doneSize == 0 || v&^doneSize != doneTag(fh) {
		return 0, false
	}
	return int(v&doneSize) - 1, true
}

const doneSize = 1<<32 - 1

// doneTag packs what tells fh from the others with the same word: its generation and the rest of its index.
func doneTag(fh uint64) uint64 { return fh>>48<<48 | fh/doneFiles&0xffff<<32 }
