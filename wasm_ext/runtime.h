// The frame every kernel runs in: the launch's slots, the team of threads, shared scratch.
//
// A kernel is SPMD: all threads of the team enter `run` with the same slots, take their static share
// of the work by (team.t, team.T), and meet at team.barrier() between phases. The walker orders launches.
// Results must not depend on T: partial sums go over chunks whose bounds depend only on
// the sizes, and are combined in chunk order.
#pragma once
#include <cstddef>
#include <cstdint>
#include "contract.h"

union Slot {
  int64_t i;
  double f;
};

enum Status { STATUS_OK = 0, STATUS_UNKNOWN_KERNEL = 1, STATUS_BAD_INDEX = 2, STATUS_NO_MEMORY = 3 };

enum { MAX_THREADS = 16 };  // scratch is sized for all of them, so that changing the number of threads never allocates

struct Team {
  int t, T;        // this thread, threads in the team
  char* scratch;   // shared by the team, at least Entry::scratch bytes, 64-byte aligned, contents undefined
  int64_t launch;  // index of this launch in the run
  void barrier();  // all T threads; a no-op when T is 1
  void fail(Status status);  // reported by tg_run; the kernel must still reach its barriers and return
};

template <class T> static inline T* buffer(const Slot* a, int slot) { return (T*)(uintptr_t)a[slot].i; }

struct Share { int64_t begin, end; };
// The t-th of T nearly equal parts of n items, in multiples of `grain`.
static inline Share share(int64_t n, const Team& team, int64_t grain = 1) {
  int64_t units = (n + grain - 1) / grain, b = units * team.t / team.T * grain, e = units * (team.t + 1) / team.T * grain;
  return {b < n ? b : n, e < n ? e : n};
}

// One row of the kernel table: each kernel family defines its entries with ENTRY.
struct Entry {
  void (*run)(const Slot*, Team&);
  double (*work)(const Slot*);      // about how many nanoseconds one thread needs: decides how many threads join
  size_t (*scratch)(const Slot*);   // shared scratch bytes, null for none; a function of the sizes only
};
extern const Entry* const KERNEL_TABLE[KERNEL_COUNT];  // table.cpp, in id order
#define ENTRY(name, work, scratch) extern const Entry entry_##name; const Entry entry_##name = {run_##name, work, scratch}

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
