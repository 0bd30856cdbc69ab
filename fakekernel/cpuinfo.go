package fakekernel

import (
	"fmt"
	"strconv"
	"strings"
)

const x86Flags = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm constant_tsc rep_good nopl nonstop_tsc cpuid extd_apicid pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand hypervisor lahf_lm"

// cpuinfo writes /proc/cpuinfo: online CPUs only. On x86 it is made from the topology, elsewhere taken from the archive.
func (m *machine) cpuinfo(b []byte) []byte {
	if len(m.CPUInfo) > 0 {
		return m.archivedCPUInfo(b)
	}
	for i := range m.cpus {
		if !m.cpus[i].online {
			continue
		}
		pkg, core := m.topology(i)
		siblings := min(m.CPUsPerPackage, m.CPUs)
		b = fmt.Appendf(b, "processor\t: %d\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping\t: 1\nmicrocode\t: 0x1000065\n", i)
		b = fmt.Appendf(b, "cpu MHz\t\t: %d.%03d\ncache size\t: 1024 KB\nphysical id\t: %d\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\napicid\t\t: %d\ninitial apicid\t: %d\n",
			2596+i%3, 142+i%7, pkg, siblings, core, siblings/m.ThreadsPerCore, i, i)
		b = append(b, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 16\nwp\t\t: yes\nflags\t\t: "+x86Flags+"\nbugs\t\t: sysret_ss_attrs spectre_v1 spectre_v2 spec_store_bypass\n"...)
		b = append(b, "bogomips\t: 5192.28\nTLB size\t: 3584 4K pages\nclflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: 48 bits physical, 48 bits virtual\npower management:\n\n"...)
	}
	return b
}

// archivedCPUInfo leaves out the blocks of offline CPUs: "processor : N" up to the next blank line, or s390's
// "processor N: ..." line and "cpu number : N" block. "# processors" counts the online ones.
func (m *machine) archivedCPUInfo(b []byte) []byte {
	show := true
	for line := range lines(m.CPUInfo) {
		key, value, _ := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		n, err := strconv.Atoi(value)
		one, isOne := strings.CutPrefix(key, "processor ")
		switch {
		case key == "processor" && err == nil, key == "cpu number" && err == nil:
			show = m.isOnline(n)
		case isOne:
			if id, err := strconv.Atoi(one); err == nil && !m.isOnline(id) {
				continue
			}
		case key == "# processors":
			b = append(b, strings.Replace(line, value, strconv.Itoa(m.onlineMask().count()), 1)...)
			b = append(b, '\n')
			continue
		}
		if show {
			b = append(append(b, line...), '\n')
		}
		if line == "" {
			show = true
		}
	}
	return b
}

func (m *machine) isOnline(n int) bool { return n >= 0 && n < len(m.cpus) && m.cpus[n].online }

// topology is the package and core of CPU i: threads of a core are neighbours.
func (m *machine) topology(i int) (pkg, core int) {
	return i / m.CPUsPerPackage, i % m.CPUsPerPackage / m.ThreadsPerCore
}

// span is the online CPUs among the n that share i's block of n.
func (m *machine) span(i, n int) cpumask {
	mask := newMask(m.CPUs)
	for c := i / n * n; c < min(i/n*n+n, m.CPUs); c++ {
		if m.cpus[c].online {
			mask.set(c)
		}
	}
	return mask
}
