// How the pool's threads wait: Signal, a word to spin on and then to sleep on, and the Barrier made
// of it.
//
// Between two launches of a Program a thread waits a few microseconds, far less than a sleep and a
// wake-up cost: so it spins first. An idle pool must use no CPU: so it sleeps in the end. The
// waking thread makes the system call only when a thread sleeps.
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
#endif

// A round of spinning reads the word, then makes divisions that each need the one before: 27 ns on
// an EPYC, in V8, SpiderMonkey and JavaScriptCore alike. Reading alone takes 0.25 ns in V8 and 5 to
// 17 ns in JavaScriptCore, which reads by a locked exchange: one count of reads would be a spin of
// 15 us in one and of a millisecond in the other.
//
// A thread spins as long as spinning has paid: twice the rounds after a wait that they ended, half
// after one that ended in sleep. SPIN_LEAST is 2 us: another thread may need this core to get to
// the barrier. SPIN_MOST is 50 us, the time of a serial launch or of a wake-up. An idle pool spins
// for at least 25 us, in which Python starts the next step. No yielding in between: two threads
// that yield to each other stay on one core (the scheduler takes them for cache-hot), while
// a thread that wakes from sleep is placed on an idle core.
//
// Each RETRY-th time that a thread sleeps the most rounds are tried again: what kept spinning from
// paying, another program for instance, may have gone.
enum { DIVISIONS = 8, SPIN_LEAST = 64, SPIN_IDLE = 930, SPIN_MOST = 1860, RETRY = 128 };

#if THREADS
struct alignas(64) Signal {
  std::atomic<int32_t> word{0};
  std::atomic<int32_t> sleepers{0};

  std::atomic<int32_t> rounds{SPIN_MOST};
  std::atomic<uint32_t> sleeps{0};

  // Whether the word changes within so many rounds.
  bool spin_while(int32_t old, int32_t n) {
    volatile double kept = 1.3;  // volatile: so the compiler leaves the divisions in
    for (int32_t i = 0; i < n; i++) {
      if (word.load(std::memory_order_acquire) != old) return true;
      double x = kept;
      for (int j = 0; j < DIVISIONS; j++) x = 1.7 / x;
      kept = x;
    }
    return false;
  }

  // Returns once the word is no longer `old`.
  void wait_while(int32_t old, int32_t least) {
    int32_t n = rounds.load(std::memory_order_relaxed);
    if (spin_while(old, n)) {
      if (n < SPIN_MOST) rounds.store(n * 2 < SPIN_MOST ? n * 2 : SPIN_MOST, std::memory_order_relaxed);
      return;
    }
    bool again = sleeps.fetch_add(1, std::memory_order_relaxed) % RETRY == RETRY - 1;
    rounds.store(again ? SPIN_MOST : n / 2 > least ? n / 2 : least, std::memory_order_relaxed);
    // The sleeper announces itself, then reads the word again; the waker changes the word, then
    // reads the number of sleepers: one of them sees the other.
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

// The last of n threads to arrive starts the next round; the others wait until its number changes
// (a sense-reversing barrier whose sense is a counter).
struct Barrier {
  alignas(64) std::atomic<int32_t> arrived{0};
  Signal round;

  void wait(int n) {
    if (n == 1) return;
    int32_t current = round.word.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == n) {
      arrived.store(0, std::memory_order_relaxed);
      round.advance();
    } else {
      round.wait_while(current, SPIN_LEAST);
    }
  }
};
#else
struct Barrier {
  void wait(int) {}
};
#endif
