package main

import (
	"fmt"
	"strings"
)

// What /proc/cpuinfo is on processors other than the test beds': arch/*/kernel/{cpu,setup,processor}*.c.

// x86 is a short block: real ones have 1.2 kB of flags, and 512 of them would not fit into an archive.
const x86 = `processor	: #
vendor_id	: GenuineIntel
physical id	: 0
core id		: #
flags		: fpu tsc msr lm avx512f
power management:

`

const arm64 = `processor	: #
BogoMIPS	: 50.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x3
CPU part	: 0xd0c
CPU revision	: 1

`

// armTail follows the last block on 32-bit ARM boards.
const armTail = `Hardware	: BCM2835
Revision	: c03111
Serial		: 0000000000000000
Model		: Raspberry Pi 4 Model B Rev 1.1
`

const arm = `processor	: #
model name	: ARMv7 Processor rev 3 (v7l)
BogoMIPS	: 108.00
Features	: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32
CPU implementer	: 0x41
CPU architecture: 7
CPU variant	: 0x0
CPU part	: 0xd08
CPU revision	: 3

`

const ppc64le = `processor	: #
cpu		: POWER9 (architected), altivec supported
clock		: 2500.000000MHz
revision	: 2.2 (pvr 004e 1202)

`

const ppc64leTail = `timebase	: 512000000
platform	: pSeries
model		: IBM,8335-GTH
machine		: CHRP IBM,8335-GTH
MMU		: Radix
`

const riscv64 = `processor	: #
hart		: #
isa		: rv64imafdcvh_zicbom_zicboz_zicntr_zicsr_zifencei_zihintpause_zihpm_zba_zbb_zbs_sscofpmf_sstc_svpbmt
mmu		: sv48
uarch		: sifive,u74-mc
mvendorid	: 0x489
marchid		: 0x8000000000000007
mimpid		: 0x4210427
hart isa	: rv64imafdcvh_zicbom_zicboz_zicntr_zicsr_zifencei_zihintpause_zihpm_zba_zbb_zbs_sscofpmf_sstc_svpbmt

`

// s390x counts CPUs, gives each a line, and then each a block that starts with "cpu number".
func s390x(n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `vendor_id       : IBM/S390
# processors    : %d
bogomips per cpu: 3241.00
max thread id   : 1
features	: esan3 zarch stfle msa ldisp eimm dfp edat etf3eh highgprs te vx vxd vxe gs vxe2 vxp sort dflt sie
facilities      : 0 1 2 3 4 6 7 8 9 10 12 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 30 31 32 33 34 35 36 37 40 41 42 43 44 45 47 48 49 50 51 52 53 54 55 57 58 59 60 61 73 74 75 76 77 80 81 82 128 129 130 131 132 133 134 135 138 139 146 147 148 150 151 152 155 156 158 159 161 165 168 170 190 191 192 193 194 196 197
cache0          : level=1 type=Data scope=Private size=128K line_size=256 associativity=8
cache1          : level=1 type=Instruction scope=Private size=128K line_size=256 associativity=8
cache2          : level=2 type=Unified scope=Private size=32768K line_size=256 associativity=16
`, n)
	for i := range n {
		fmt.Fprintf(&b, "processor %d: version = FF,  identification = 000000,  machine = 3931\n", i)
	}
	for i := range n {
		fmt.Fprintf(&b, `
cpu number      : %[1]d
physical id     : 0
core id         : %[2]d
book id         : 0
drawer id       : 0
dedicated       : 0
address         : %[1]d
smt id          : %[3]d
siblings        : 2
cpu cores       : 1
version         : FF
identification  : 000000
machine         : 3931
cpu MHz dynamic : 5200
cpu MHz static  : 5200
`, i, i/2, i%2)
	}
	b.WriteByte('\n')
	return []byte(b.String())
}
