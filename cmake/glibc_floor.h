// Included first in every source of a release build. glibc 2.29 gave these functions a new version that differs only
// in how errors reach the matherr of SVID, which nobody uses: the version before it has the same values and is in every
// glibc.
#ifdef __x86_64__
#define GMR_OLD_VERSION "GLIBC_2.2.5"
#else
#define GMR_OLD_VERSION "GLIBC_2.17"
#endif
__asm__(".symver exp, exp@" GMR_OLD_VERSION);
__asm__(".symver exp2, exp2@" GMR_OLD_VERSION);
__asm__(".symver log, log@" GMR_OLD_VERSION);
__asm__(".symver log2, log2@" GMR_OLD_VERSION);
__asm__(".symver pow, pow@" GMR_OLD_VERSION);
#undef GMR_OLD_VERSION
