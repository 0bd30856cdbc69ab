//go:build !nojournal && !noresend && !norecovery

package conn

// How a successor gets at the requests its predecessor left. The builds with another answer are for the chaos program: one
// that has only the kernel's way, one that has only ours, and one that has none and so must be seen to fail.
const (
	byJournal = true
	byResend  = true
)
