/* A machine for PTX: fibers for the threads of a block, memory that is watched.

A launch runs its blocks one after the other, the threads of a block in turn, in an order drawn anew
for each round; some groups of lanes are slower than others. A thread runs until it waits for
others. What is no error on some schedule is found here as one on any:

  - memory outside what the launch was given, misaligned, or read before anything wrote it;
  - two threads that touch the same word, one of them writing, with no barrier between them;
  - a read through the read-only cache of what the same launch writes;
  - lanes that wait for others which have ended, are elsewhere, or are not of their group.

After `compute-sanitizer` (memcheck, initcheck, racecheck, synccheck), whose rules these are. */
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { WARP = 32, MOST_THREADS = 1024, MOST_REGIONS = 128, WORD = 4 };
static const size_t STACK = 1 << 21;

/* Who last wrote and read a word, and how many barriers were behind it. A thread has its number in
   the launch and 1; 0 is nobody, -1 several of the block, -2 - g several of group g. Lanes of the
   writer's warp that wrote the same since are in `agreed`, a bit each. */
typedef struct {
    int32_t writer, w_group, w_block, reader, r_group, r_block;
    uint32_t agreed;
} Shadow;
enum { NOBODY = 0, SEVERAL = -1 };
typedef struct { uint64_t begin, end; const char *name; uint8_t *written; Shadow *shadow; int space; } Region;
static Thread threads[MOST_THREADS];
Thread *me;
static Region region[MOST_REGIONS];
static int n_regions, lanes, n_threads;
static ucontext_t hub;
static Entry *running;
static uint8_t *arguments;
static char message[512];
static uint64_t chance;

static uint32_t draw(uint32_t n) {
    chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((chance >> 33) % n);
}

/* The launch ends with this sentence. */
static void fail(const char *words, ...) {
    if (!message[0]) {
        va_list rest;
        va_start(rest, words);
        vsnprintf(message, sizeof message, words, rest);
        va_end(rest);
    }
    swapcontext(&me->context, &hub);
}

static void add(const void *at, uint64_t size, const char *name, int space, uint8_t *written) {
    Region *r = &region[n_regions++];
    *r = (Region){(uint64_t)at, (uint64_t)at + size, name, written, NULL, space};
    r->shadow = calloc(size / WORD + 1, sizeof(Shadow));
}
void constant(void *at, uint64_t size) { add(at, size, "a constant", GLOBAL, NULL); }
void shared(void *at, uint64_t size) {
    add(at, size, "shared memory", SHARED, calloc(size / WORD + 1, 1));
}
void enter(void *at, uint64_t size) {
    me->locals[me->n_locals++] = (Span){(uint64_t)at, (uint64_t)at + size};
}
void leave(void) { me->n_locals--; }

static int number(void) { return (int)(me->ctaid * me->ntid + me->tid) + 1; }
static int group_of(int who) { return who < SEVERAL ? -2 - who : (who - 1) / lanes; }
static int is_of_my_block(int who) {
    int thread = who < SEVERAL ? group_of(who) * lanes : who - 1;
    return who == SEVERAL || thread / (int)me->ntid == (int)me->ctaid;
}

/* Whether there was a barrier since, of the group or of the block. */
static int is_past(int who, int group_epoch, int block_epoch) {
    if (who == NOBODY) return 1;
    if (!is_of_my_block(who)) return 0;
    if (block_epoch != me->block_epoch) return 1;
    return who != SEVERAL && group_of(who) == group_of(number()) && group_epoch != me->group_epoch;
}

static void conflict(const Region *r, uint64_t word, const char *does, const char *did, int line) {
    fail("line %d: thread %u %s word %lu of %s, which another thread %s with no barrier between",
         line, me->tid, does, word, r->name, did);
}

/* All lanes may write the same, and each may read what it wrote. */
static void look_at_word(Region *r, uint64_t word, const uint32_t *new, int line) {
    Shadow *s = &r->shadow[word];
    uint32_t mine = 1u << me->tid % WARP;
    int is_old = is_past(s->writer, s->w_group, s->w_block), is_mine = s->writer == number();
    int is_near = s->writer > 0 && (s->writer - 1) / WARP == (number() - 1) / WARP;
    if (new && r->written[word] && *new == ((uint32_t *)r->begin)[word]) {
        if (!is_old && is_near) s->agreed |= mine;
        return;
    }
    if (new) {
        if (!is_old && (!is_mine || s->agreed & ~mine)) conflict(r, word, "writes", "wrote", line);
        if (!is_past(s->reader, s->r_group, s->r_block) && s->reader != number())
            conflict(r, word, "writes", "read", line);
        s->writer = number(), s->w_group = me->group_epoch, s->w_block = me->block_epoch;
        s->agreed = mine, s->reader = NOBODY;
        r->written[word] = 1;
        return;
    }
    if (!is_old && !is_mine && !(is_near && s->agreed & mine))
        conflict(r, word, "reads", "wrote", line);
    if (r->written && !r->written[word])
        fail("line %d: thread %u reads word %lu of %s, which nothing wrote", line, me->tid, word,
             r->name);
    if (is_past(s->reader, s->r_group, s->r_block) || s->reader == number()) s->reader = number();
    else if (s->reader == SEVERAL || group_of(s->reader) != group_of(number())) s->reader = SEVERAL;
    else s->reader = -2 - group_of(number());
    s->r_group = me->group_epoch, s->r_block = me->block_epoch;
}

void look(uint64_t at, int size, int how, const void *new, int line) {
    if (at % size) fail("line %d: thread %u uses %d bytes at a misaligned place", line, me->tid, size);
    int space = how & (GLOBAL | SHARED | LOCAL);
    if (space == LOCAL || space == GENERIC)
        for (int k = 0; k < me->n_locals; k++)
            if (me->locals[k].begin <= at && at + size <= me->locals[k].end) return;
    for (Region *r = region; r < region + n_regions; r++) {
        if (at < r->begin || at + size > r->end || (space && space != r->space)) continue;
        if (how & WRITE && !r->written)
            fail("line %d: thread %u writes to %s", line, me->tid, r->name);
        uint64_t first = (at - r->begin) / WORD;
        for (uint64_t word = first; word < first + size / WORD; word++) {
            if (how & ONCE && r->shadow[word].writer)
                fail("line %d: thread %u reads word %lu of %s as one that never changes, and it was "
                     "written", line, me->tid, word, r->name);
            look_at_word(r, word, new ? (const uint32_t *)new + (word - first) : NULL, line);
        }
        return;
    }
    fail("line %d: thread %u %s %d bytes that are not its own", line, me->tid,
         how & WRITE ? "writes" : "reads", size);
}

uint32_t meet(int kind, uint32_t mask, uint32_t value, int line) {
    me->kind = kind, me->mask = mask, me->value = value, me->line = line;
    swapcontext(&me->context, &hub);
    return me->result;
}

uint32_t shuffle(uint32_t mask, uint32_t value, uint32_t by, uint32_t clamp, int line) {
    if (clamp != 31) fail("line %d: shuffles of a part of a warp are not known here", line);
    me->by = by;
    return meet(SHUFFLE, mask, value, line);
}

static void begin(void) {
    running(arguments);
    me->done = 1;
    swapcontext(&me->context, &hub);
}

/* Let the lanes of a warp that all wait for each other go on; whether they did. */
static int release_lanes(Thread *t) {
    Thread *warp = threads + t->tid / WARP * WARP;
    uint32_t first = t->tid % WARP / lanes * lanes;
    uint32_t group = (uint32_t)(((1ULL << lanes) - 1) << first);
    me = t;
    if (t->mask != group) {
        snprintf(message, sizeof message, "line %d: thread %u waits under mask %x, its group is %x",
                 t->line, t->tid, t->mask, group);
        return 0;
    }
    for (int k = 0; k < WARP; k++) {
        if (!(t->mask >> k & 1)) continue;
        if (warp[k].done || (warp[k].kind && (warp[k].kind != t->kind || warp[k].mask != t->mask))) {
            snprintf(message, sizeof message, "line %d: thread %u waits for thread %u, which %s",
                     t->line, t->tid, warp[k].tid, warp[k].done ? "has ended" : "waits elsewhere");
            return 0;
        }
        if (!warp[k].kind) return 0;
    }
    for (int k = 0; k < WARP; k++)
        if (t->mask >> k & 1) warp[k].result = t->kind == SHUFFLE ? warp[k ^ warp[k].by].value : 0;
    int kind = t->kind;
    for (int k = 0; k < WARP; k++)
        if (group >> k & 1) {
            warp[k].group_epoch += kind == WARP_BARRIER;
            warp[k].kind = 0;
        }
    return 1;
}

static int release_block(void) {
    uint32_t any = 0;
    for (Thread *t = threads; t < threads + n_threads; t++) {
        if (!t->done && t->kind != threads[0].kind) return 0;
        if (t->done) {
            snprintf(message, sizeof message, "thread %u has ended, others wait for the block", t->tid);
            return 0;
        }
        any |= t->value;
    }
    for (Thread *t = threads; t < threads + n_threads; t++)
        t->result = any, t->kind = 0, t->block_epoch++;
    return 1;
}

static void run_block(uint32_t block, uint32_t blocks) {
    int order[MOST_THREADS], pace[MOST_THREADS];
    for (int k = 0; k < n_threads; k++) {
        Thread *t = &threads[k];
        void *stack = t->stack;
        memset(t, 0, sizeof *t);
        t->stack = stack;
        t->tid = k, t->ctaid = block, t->ntid = n_threads, t->nctaid = blocks;
        getcontext(&t->context);
        t->context.uc_stack.ss_sp = stack, t->context.uc_stack.ss_size = STACK;
        t->context.uc_link = NULL;
        makecontext(&t->context, begin, 0);
        order[k] = k, pace[k] = 20 + draw(81);
    }
    pace[draw(n_threads)] = 100;
    for (int left = n_threads; left;) {
        int went = 0, met = 0;
        for (int k = n_threads - 1; k > 0; k--) {
            int other = draw(k + 1), kept = order[k];
            order[k] = order[other], order[other] = kept;
        }
        for (int k = 0; k < n_threads; k++) {
            Thread *t = &threads[order[k]];
            if (t->done || t->kind) continue;
            went = 1;
            if ((int)draw(100) >= pace[t->tid / lanes * lanes]) continue;
            me = t;
            swapcontext(&hub, &t->context);
            if (message[0]) return;
            left -= t->done;
        }
        for (int k = 0; k < n_threads && !message[0]; k++) {
            Thread *t = &threads[k];
            if (!t->done && t->kind >= WARP_BARRIER) met |= release_lanes(t);
            else if (!t->done && t->kind && k == 0) met |= release_block();
        }
        if (message[0]) return;
        if (left && !went && !met) {
            for (Thread *t = threads; t < threads + n_threads; t++)
                if (!t->done) {
                    snprintf(message, sizeof message, "line %d: thread %u waits for others that never "
                             "come", t->line, t->tid);
                    return;
                }
        }
    }
}

/* Run an entry point. Returns what went wrong, "" if nothing did. */
const char *launch(int blocks, int block, int n_lanes, uint64_t seed, void *params, int n,
                   void **at, uint64_t *size, uint8_t **written, const char **name) {
    n_regions = 0, lanes = n_lanes, n_threads = block, chance = seed, message[0] = 0;
    running = entry, arguments = params;
    for (int k = 0; k < n; k++) add(at[k], size[k], name[k], GLOBAL, written[k]);
    regions();
    for (int k = 0; k < block; k++)
        if (!threads[k].stack)
            threads[k].stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (int k = 0; k < blocks && !message[0]; k++) {
        for (Region *r = region; r < region + n_regions; r++)
            if (r->space == SHARED) {
                memset((void *)r->begin, 0xff, r->end - r->begin);
                memset(r->written, 0, (r->end - r->begin) / WORD + 1);
                memset(r->shadow, 0, ((r->end - r->begin) / WORD + 1) * sizeof(Shadow));
            }
        run_block(k, blocks);
    }
    for (Region *r = region; r < region + n_regions; r++) {
        free(r->shadow);
        if (r->space == SHARED) free(r->written);
    }
    return message;
}
