package bench

import (
	"cmp"
	"slices"
	"time"
)

// Stats is what all rounds of a row gave for one server. Times are in microseconds
// and medians of the rounds unless said otherwise.
type Stats struct {
	Rounds  int     `json:"rounds"`
	Ops     uint64  `json:"ops"`    // of all rounds
	Errors  uint64  `json:"errors"` // of all rounds
	Err     string  `json:"error,omitempty"`
	Rate    float64 `json:"ops_per_second"`
	P50     float64 `json:"p50_us"`
	Best    float64 `json:"best_p50_us"` // of the best round
	P90     float64 `json:"p90_us"`
	P99     float64 `json:"p99_us"`
	P999    float64 `json:"p999_us"`
	Max     float64 `json:"max_us"` // of all rounds
	CPU     float64 `json:"daemon_cpu_us_per_op"`
	User    float64 `json:"daemon_user_us_per_op"`     // of all rounds
	System  float64 `json:"daemon_system_us_per_op"`   // of all rounds
	Child   float64 `json:"daemon_children_us_per_op"` // of all rounds
	Client  float64 `json:"client_cpu_us_per_op"`
	Load    float64 `json:"daemon_cpu_us_per_second"`
	Forks   float64 `json:"forks"` // of all rounds; of the whole machine, but 0 when the daemon reaped none
	RSS     float64 `json:"rss_mib"`
	FDs     float64 `json:"fds"`
	Threads float64 `json:"threads"`
	// Growth from the end of the first round to the end of the last.
	RSSGrowth    float64 `json:"rss_growth_mib"`
	FDGrowth     float64 `json:"fd_growth"`
	ThreadGrowth float64 `json:"thread_growth"`

	latency Histogram
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// median returns the middle of the values, the mean of the two in the middle of an
// even number, and the zero value for none.
func median[T ~int64 | ~float64](values []T) T {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// over returns the median of f over the samples.
func over(samples []Sample, f func(Sample) float64) float64 {
	var v []float64
	for _, s := range samples {
		v = append(v, f(s))
	}
	return median(v)
}

// per returns n per operation, 0 without operations.
func per(d time.Duration, ops uint64) float64 {
	if ops == 0 {
		return 0
	}
	return micros(d) / float64(ops)
}

// summarize makes the figures of a row out of the samples of its rounds, which must
// not be none.
func summarize(samples []Sample) *Stats {
	st := &Stats{Rounds: len(samples)}
	var user, system, child time.Duration
	var forked uint64
	reaped := false
	for _, s := range samples {
		st.Ops += s.Ops
		st.Errors += s.Errors
		if s.Err != nil {
			st.Err = cmp.Or(st.Err, s.Err.Error())
		}
		user += s.After.User - s.Before.User
		system += s.After.System - s.Before.System
		child += s.After.Children - s.Before.Children
		forked += s.Forks
		reaped = reaped || s.After.ChildFaults != s.Before.ChildFaults || s.After.Processes > s.Before.Processes
		if s.Latency != nil {
			st.latency.Add(s.Latency)
		}
	}
	if reaped {
		st.Forks = float64(forked)
	}
	st.User, st.System, st.Child = per(user, st.Ops), per(system, st.Ops), per(child, st.Ops)
	st.Max = micros(st.latency.Max())
	daemon := func(s Sample) time.Duration {
		return s.After.CPU + s.After.Children - s.Before.CPU - s.Before.Children
	}
	st.CPU = over(samples, func(s Sample) float64 { return per(daemon(s), s.Ops) })
	st.Client = over(samples, func(s Sample) float64 { return per(s.ClientCPU, s.Ops) })
	st.Load = over(samples, func(s Sample) float64 { return micros(daemon(s)) / s.Elapsed.Seconds() })
	st.Rate = over(samples, func(s Sample) float64 { return float64(s.Ops) / s.Elapsed.Seconds() })
	quantile := func(q float64) float64 {
		return over(samples, func(s Sample) float64 { return micros(s.quantile(q)) })
	}
	st.P50, st.P90, st.P99, st.P999 = quantile(.5), quantile(.9), quantile(.99), quantile(.999)
	best := slices.MinFunc(samples, func(a, b Sample) int { return cmp.Compare(a.quantile(.5), b.quantile(.5)) })
	st.Best = micros(best.quantile(.5))

	first, last := samples[0].After, samples[len(samples)-1].After
	const mib = 1 << 20
	st.RSS, st.FDs, st.Threads = float64(last.RSS)/mib, float64(last.FDs), float64(last.Threads)
	st.RSSGrowth = float64(last.RSS-first.RSS) / mib
	st.FDGrowth, st.ThreadGrowth = float64(last.FDs-first.FDs), float64(last.Threads-first.Threads)
	return st
}

func (s Sample) quantile(q float64) time.Duration {
	if s.Latency == nil {
		return 0
	}
	return s.Latency.Quantile(q)
}
