/* Hides instructions from a program that asks the processor for them, so that a peer is held to what a smaller processor has.
 *
 *     cc -O2 -shared -fPIC hide.c -o hide.so && HIDE=avx512 LD_PRELOAD=./hide.so python …
 *
 * HIDE=amx hides AMX, HIDE=avx512 also AVX-512 and AVX-VNNI. Linux lets CPUID fault (arch_prctl(2), ARCH_SET_CPUID) where the
 * processor can; the fault is answered here with the processor's own words, less some bits (Intel SDM, volume 2, CPUID).
 * Threads inherit that. Where it cannot be had, the program ends with code 3. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define BIT(n) (1u << (n))

static int hides_avx512;

static int allow_cpuid(long allowed) {
    const int arch_set_cpuid = 0x1012;
    return (int)syscall(SYS_arch_prctl, arch_set_cpuid, allowed);
}

static void answer(int signal_number, siginfo_t *info, void *context) {
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *instruction = (const unsigned char *)registers[REG_RIP];
    if (instruction[0] != 0x0f || instruction[1] != 0xa2) {
        /* another fault: it happens again, and ends the program */
        signal(signal_number, SIG_DFL);
        return;
    }
    unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX], a, b, c, d;
    allow_cpuid(1);
    __cpuid_count(leaf, subleaf, a, b, c, d);
    allow_cpuid(0);
    if (leaf == 7 && subleaf == 0) {
        d &= ~(BIT(22) | BIT(24) | BIT(25)); /* AMX-BF16, AMX-TILE, AMX-INT8 */
        if (hides_avx512) {
            b &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31)); /* F, DQ, IFMA, CD, BW, VL */
            c &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));             /* VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ */
            d &= ~(BIT(8) | BIT(23));                                          /* VP2INTERSECT, FP16 */
        }
    }
    if (leaf == 7 && subleaf == 1) {
        a &= ~BIT(21); /* AMX-FP16 */
        d &= ~BIT(8);  /* AMX-COMPLEX */
        if (hides_avx512) {
            a &= ~(BIT(4) | BIT(5)); /* AVX-VNNI, AVX512-BF16 */
            d &= ~BIT(19);           /* AVX10 */
        }
    }
    if (leaf == 0x1d || leaf == 0x1e) a = b = c = d = 0; /* sizes of AMX's tiles */
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void hide(void) {
    const char *what = getenv("HIDE");
    if (!what) return;
    hides_avx512 = strcmp(what, "avx512") == 0;
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSEGV, &action, NULL) || allow_cpuid(0)) _exit(3);
}
