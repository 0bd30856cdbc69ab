//go:build race

package core_test

// racing says that the race detector is on.
const racing = true
