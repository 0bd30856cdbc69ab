package kernelfs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// ParseError is a kernel file that did not look as documented.
type ParseError struct {
	Path string // the kernel file
	Line int    // counted from 1, 0 if unknown
	Err  error  // what was wrong
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.Path, e.Line, e.Err)
}

func (e *ParseError) Unwrap() error { return e.Err }

var (
	errNumber = errors.New("not a number")
	errRange  = errors.New("out of range")
	errShort  = errors.New("ends early")
	errFormat = errors.New("not the documented format")
)

// ParseUint reads the decimal digits at the start of b and returns the number and what follows.
// It reports false if there are none or the number does not fit 64 bits.
func ParseUint(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		d := uint64(b[i] - '0')
		if n >= math.MaxUint64/10 && n > (math.MaxUint64-d)/10 { // most numbers are spared the division
			return 0, b, false
		}
		n = n*10 + d
	}
	return n, b[i:], i > 0
}

// Line splits the first line off b, without its newline.
func Line(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

// Field splits the first word off b; words are separated by blanks and tabs.
func Field(b []byte) (field, rest []byte) {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	j := i
	for j < len(b) && b[j] != ' ' && b[j] != '\t' && b[j] != '\n' {
		j++
	}
	return b[i:j], b[j:]
}

// oneNumber parses a file that holds a single number, or "max".
func oneNumber(path string, b []byte) (Bytes, error) {
	if bytes.HasPrefix(b, []byte("max")) {
		return NoLimit, nil
	}
	n, rest, ok := ParseUint(b)
	if !ok || len(bytes.TrimSpace(rest)) != 0 {
		return 0, &ParseError{path, 1, errNumber}
	}
	return Bytes(n), nil
}
