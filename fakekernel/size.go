package fakekernel

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	pageSize = 4096
	noLimit  = math.MaxInt64
	// pageCounterMax is what cgroup v1 shows for "no limit": PAGE_COUNTER_MAX pages.
	pageCounterMax = math.MaxInt64 / pageSize * pageSize
)

// parseSize reads a number of bytes as scenarios write it: 512M, 1.5G, 4096, -64K.
func parseSize(s string) (int64, error) {
	digits, unit := s, 1.0
	if s != "" {
		if i := strings.IndexByte("KMGT", s[len(s)-1]&^0x20); i >= 0 {
			digits, unit = s[:len(s)-1], math.Pow(1024, float64(i+1))
		}
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f*unit) > math.MaxInt64/2 {
		return 0, fmt.Errorf("size %q: want a number of bytes such as 64M", s)
	}
	return int64(f * unit), nil
}

// parseLimit is parseSize with the word max, and whole pages as page_counter keeps them.
func parseLimit(s string) (int64, error) {
	if s == "max" {
		return noLimit, nil
	}
	n, err := parseSize(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("limit %q: want max or a size such as 64M", s)
	}
	return n / pageSize * pageSize, nil
}

// option is one NAME=VALUE word of a verb.
type option struct{ name, value string }

func parseOptions(words []string) ([]option, error) {
	opts := make([]option, 0, len(words))
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q: want NAME=VALUE", w)
		}
		opts = append(opts, option{name, value})
	}
	return opts, nil
}

func appendKV(b []byte, key string, v int64) []byte {
	b = append(b, key...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, v, 10)
	return append(b, '\n')
}

func appendLine(b []byte, v int64) []byte { return append(strconv.AppendInt(b, v, 10), '\n') }

// appendMax writes a v2 limit.
func appendMax(b []byte, v int64) []byte {
	if v == noLimit {
		return append(b, "max\n"...)
	}
	return appendLine(b, v)
}
