// The frame every kernel runs in: the launch's slots, the team of threads, shared scratch.
//
// A kernel is SPMD: all threads of the team enter `run` with the same slots, take their static share
// of the work by (team.t, team.T), and meet at team.barrier() between phases. The walker puts a barrier
// after each launch. Results must not depend on T: partial sums go over chunks whose bounds depend only on
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

struct Team {
  int t, T;        // this thread, threads in the team
  char* scratch;   // shared by the team, at least Entry::scratch bytes, 64-byte aligned, contents undefined
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
  size_t (*scratch)(const Slot*);   // shared scratch bytes, null for none
};
extern const Entry KERNEL_TABLE[KERNEL_COUNT];   // table.cpp, built from FOR_EACH_KERNEL(name) -> `extern const Entry entry_name`
#define ENTRY(name, work, scratch) extern const Entry entry_##name; const Entry entry_##name = {run_##name, work, scratch}
