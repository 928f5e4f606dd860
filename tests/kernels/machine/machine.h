/* What the C of a kernel (`translate.py`) calls: see machine.c. */
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

enum { READ = 0, WRITE = 1, ONCE = 2, GENERIC = 0, GLOBAL = 4, SHARED = 8, LOCAL = 16 };
enum { BLOCK_BARRIER = 1, BLOCK_OR, WARP_BARRIER, SHUFFLE };
enum { MOST_LOCALS = 4 };

typedef struct { uint64_t begin, end; } Span;
typedef void Entry(uint8_t *params);
typedef struct {
    ucontext_t context;
    void *stack;
    uint32_t tid, ctaid, ntid, nctaid;
    int done, kind, line, group_epoch, block_epoch, n_locals;
    uint32_t mask, value, by, result;
    Span locals[MOST_LOCALS];
} Thread;

extern Thread *me;

/* Of the kernel: its entry point, and a function that tells of its memory. */
extern Entry *entry;
void regions(void);
void constant(void *at, uint64_t size);
void shared(void *at, uint64_t size);

/* Local memory of a function, from where it begins to where it ends. */
void enter(void *at, uint64_t size);
void leave(void);

/* See whether an access is allowed; `new` is what a write writes. */
void look(uint64_t at, int size, int how, const void *new, int line);

/* Wait for others, and return what comes of it. */
uint32_t meet(int kind, uint32_t mask, uint32_t value, int line);
uint32_t shuffle(uint32_t mask, uint32_t value, uint32_t by, uint32_t clamp, int line);

static inline double f64_of(uint64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
static inline float f32_of(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
static inline uint64_t bits_f64(double x) { uint64_t bits; memcpy(&bits, &x, 8); return bits; }
static inline uint32_t bits_f32(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }
/* Its low word is zero on the device too: whoever calls it has to refine. */
static inline double rough_rcp(double x) { return f64_of(bits_f64(1 / x) & ~0xffffffffULL); }
static inline int32_t to_s32(double x) {
    return isnan(x) ? 0 : x >= 2147483647. ? INT32_MAX : x <= -2147483648. ? INT32_MIN : (int32_t)x;
}
static inline int64_t to_s64(double x) {
    return isnan(x) ? INT64_MIN : x >= 0x1p63 ? INT64_MAX : x <= -0x1p63 ? INT64_MIN : (int64_t)x;
}
static inline uint64_t bfi_b64(uint64_t a, uint64_t b, uint32_t at, uint32_t n) {
    uint64_t mask = n >= 64 ? ~0ULL : (1ULL << n) - 1;
    return at >= 64 ? b : (b & ~(mask << at)) | ((a & mask) << at);
}
static inline uint32_t bfi_b32(uint32_t a, uint32_t b, uint32_t at, uint32_t n) {
    return at >= 32 ? b : (uint32_t)bfi_b64(a, b, at, n);
}
