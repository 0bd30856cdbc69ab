package main

import (
	"context"
	"time"

	"lxcfs/core"
)

// loadPeriod is the kernel's own: LOAD_FREQ in include/linux/sched/loadavg.h.
const loadPeriod = 5 * time.Second

// followLoad samples load averages while some container's are followed. While nobody's are, no timer runs and the process can sleep.
func followLoad(ctx context.Context, c *core.Core) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.Asked():
		}
		tickWhileAsked(ctx, c)
	}
}

func tickWhileAsked(ctx context.Context, c *core.Core) {
	t := time.NewTicker(loadPeriod)
	defer t.Stop()
	for c.Ticking() {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			c.Tick()
		}
	}
}
