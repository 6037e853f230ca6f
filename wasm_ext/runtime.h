// The frame that every kernel runs in: the slots of its launch, the team of threads, shared scratch
// memory; and the C interface.
//
// A kernel is SPMD: all threads of the team enter `run` with the same slots `a` (the launch's
// arguments), take their static share of the work by (team.rank, team.size), and meet at
// team.barrier() between phases. The walker (runtime.cpp) orders the launches. A result must not
// depend on the size of the team: partial sums go over chunks whose bounds depend on the sizes
// alone, and the chunks are combined in their order.
#pragma once
#include <cstddef>
#include <cstdint>
#include "contract.h"

union Slot {
  int64_t i;
  double f;
};

enum Status { STATUS_OK = 0, STATUS_UNKNOWN_KERNEL = 1, STATUS_BAD_INDEX = 2, STATUS_NO_MEMORY = 3 };

enum { MAX_THREADS = 16 };  // scratch is sized for all of them: another number of threads never allocates

struct Team {
  int rank, size;            // this thread's number, the number of threads in the team
  char* scratch;             // shared, at least Entry::scratch bytes, 64-byte aligned, contents undefined
  int64_t launch;            // index of this launch in the run
  void barrier();            // of all threads; no operation in a team of one
  void fail(Status status);  // tg_run reports it; the kernel must still reach its barriers and return
};

template <class T> static inline T* buffer(const Slot* a, int slot) { return (T*)(uintptr_t)a[slot].i; }

struct Share { int64_t begin, end; };
// This thread's part of n items in team.size nearly equal parts, in multiples of `grain`.
static inline Share share(int64_t n, const Team& team, int64_t grain = 1) {
  int64_t units = (n + grain - 1) / grain;
  int64_t b = units * team.rank / team.size * grain, e = units * (team.rank + 1) / team.size * grain;
  return {b < n ? b : n, e < n ? e : n};
}

// One row of the kernel table. Each kernel family defines its entries with ENTRY.
struct Entry {
  void (*run)(const Slot* a, Team& team);
  double (*work)(const Slot* a);     // nanoseconds one thread needs, roughly: decides how many threads join
  size_t (*scratch)(const Slot* a);  // bytes of shared scratch, null for none; a function of the sizes alone
};
extern const Entry* const KERNEL_TABLE[KERNEL_COUNT];  // table.cpp, in the order of ids
#define ENTRY(name, work, scratch) \
  extern const Entry entry_##name; \
  const Entry entry_##name = {run_##name, work, scratch}

// The C interface (docs/architecture.md).
extern "C" {
int tg_start(int threads);
int tg_threads();
const char* tg_build();
void* tg_alloc(size_t n);
void tg_free(void* p);
int64_t tg_in_use();
int tg_run(const Slot* slots, int64_t n);
int64_t tg_failed_at();
}
