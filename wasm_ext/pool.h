// The thread pool's waiting: a word that threads spin on for a while and then sleep on, and the barrier made of it.
//
// Between two launches of a Program a thread waits a few microseconds, far less than a sleep and a wake-up cost, so it spins
// first; an idle pool must cost nothing, so it sleeps in the end. A waker only makes the system call when somebody sleeps.
#pragma once
#include <atomic>
#include <cstdint>
#include "runtime.h"
#if defined(__EMSCRIPTEN_PTHREADS__) || !defined(__EMSCRIPTEN__)
#define THREADS 1
#else
#define THREADS 0
#endif
#if THREADS && !defined(__EMSCRIPTEN__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#endif

// Rounds of spinning: about 50 us inside a run, so that a machine without a free core for every thread loses little, and 90 us between
// runs, in which Python comes back with the next step. No yielding in between: two threads that yield to each other stay on one core
// for good (the scheduler takes them for cache-hot), while a thread woken from sleep is put on an idle one.
enum { SPIN_IN_RUN = 60000, SPIN_IDLE = 100000 };

#if THREADS
struct alignas(64) Signal {
  std::atomic<int32_t> word{0};
  std::atomic<int32_t> sleepers{0};

  // Returns once the word is no longer `old`.
  void wait_while(int32_t old, int spins) {
    for (int i = 0; i < spins; i++) {
      if (word.load(std::memory_order_acquire) != old) return;
#if defined(__x86_64__)
      if (i % 128 == 0) _mm_pause();  // seldom: a hypervisor takes the CPU away from a loop of nothing but pauses
#endif
    }
    // The sleeper announces itself, then looks again; the waker changes the word, then looks for sleepers: one sees the other.
    sleepers.fetch_add(1);
    while (word.load() == old) {
#if defined(__EMSCRIPTEN__)
      __builtin_wasm_memory_atomic_wait32((int32_t*)&word, old, -1);
#else
      syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0);
#endif
    }
    sleepers.fetch_sub(1);
  }

  void advance() {
    word.fetch_add(1);
    if (sleepers.load() == 0) return;
#if defined(__EMSCRIPTEN__)
    __builtin_wasm_memory_atomic_notify((int32_t*)&word, MAX_THREADS);
#else
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, MAX_THREADS, nullptr, nullptr, 0);
#endif
  }
};

// The last of n arrivals starts the next round; the others wait for its number to change (a sense that counts).
struct Barrier {
  alignas(64) std::atomic<int32_t> arrived{0};
  Signal round;

  void wait(int n) {
    if (n == 1) return;
    int32_t now = round.word.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == n) {
      arrived.store(0, std::memory_order_relaxed);
      round.advance();
    } else {
      round.wait_while(now, SPIN_IN_RUN);
    }
  }
};
#else
struct Barrier { void wait(int) {} };
#endif
