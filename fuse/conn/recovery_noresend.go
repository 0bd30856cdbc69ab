//go:build noresend

package conn

const (
	byJournal = true
	byResend  = false
)
