package kernelfs

// Trigger is an armed pressure trigger (Documentation/accounting/psi.rst). Closing it disarms it.
type Trigger struct{}

// FD returns the file descriptor that polls POLLPRI when the trigger fires.
func (t *Trigger) FD() int { return -1 }

// Close disarms the trigger.
func (t *Trigger) Close() error { return nil }
