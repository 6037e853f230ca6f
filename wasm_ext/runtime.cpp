// The C interface: memory, the thread pool, and the walker that runs encoded launches.
//
// All threads walk a Program together. The work of a launch decides the size of its team: a small
// launch runs on thread 0 alone, because a barrier would cost more than it saves. A barrier
// separates two launches unless both are serial. The launches before the first parallel one run
// before the pool is woken, and those after the last parallel one run after the pool has finished:
// an eager operation on a small tensor never touches the pool.
#include "runtime.h"
#include <cstdlib>
#include <cstring>
#include "pool.h"
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if THREADS
#include <pthread.h>
#endif
#if defined(__EMSCRIPTEN__)
#include <emscripten.h>
#include <emscripten/heap.h>
#define EXPORT extern "C" EMSCRIPTEN_KEEPALIVE
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

// ---- memory -------------------------------------------------------------------------------------

enum { ALIGNMENT = 64 };
static int64_t in_use = 0;

// The 64 bytes before a block hold its size.
EXPORT void* tg_alloc(size_t n) {
  if (n > SIZE_MAX - 2 * ALIGNMENT) return nullptr;
  void* block = nullptr;
  if (posix_memalign(&block, ALIGNMENT, n + ALIGNMENT)) return nullptr;
  memcpy(block, &n, sizeof n);
  in_use += (int64_t)n;
  return (char*)block + ALIGNMENT;
}

EXPORT void tg_free(void* p) {
  if (!p) return;
  char* block = (char*)p - ALIGNMENT;
  size_t n;
  memcpy(&n, block, sizeof n);
  in_use -= (int64_t)n;
  free(block);
}

EXPORT int64_t tg_in_use() { return in_use; }

// ---- the run in progress ------------------------------------------------------------------------

struct Run {
  const Slot *begin, *end;  // the launches the pool walks
  int64_t first;            // index of the launch at begin
  int threads;
  char* scratch;
};

static Run run;
static char* scratch = nullptr;
static size_t scratch_bytes = 0;
static int threads = 1;
static std::atomic<int64_t> failed_at{-1};
static std::atomic<int> failed_status{STATUS_OK};
static Barrier between, inside;  // between launches: the whole pool; inside a launch: its team

void Team::barrier() { inside.wait(size); }

void Team::fail(Status status) {
  failed_status.store(status, std::memory_order_relaxed);
  failed_at.store(launch, std::memory_order_release);
}

// Whether a launch before `index` failed. Safe while later launches run: only earlier indices
// count.
static bool failed_before(int64_t index) {
  int64_t at = failed_at.load(std::memory_order_acquire);
  return at >= 0 && at < index;
}

static const Entry& entry_of(const Slot* launch) { return *KERNEL_TABLE[launch[0].i]; }

// Minimum work of a thread that joins a launch: two barriers cost about 1 us for 2 threads, 3 us
// for 8.
static const double NANOSECONDS_PER_THREAD = 4000;

// Minimum parallel work of a run that wakes the pool: a sleeping thread needs about 50 us to wake,
// and a page has other uses for a core. One decoded token of the shipped int8 model is 450 us by
// this count. Measured in the page, where the browser draws beside Python (2 cores): 180 to 306
// tokens a second with two threads, 322 to 429 with one.
static const double NANOSECONDS_PER_RUN = 600000;

static int team_size(const Slot* launch, int threads) {
  if (threads == 1) return 1;
  double useful = entry_of(launch).work(launch) / NANOSECONDS_PER_THREAD;
  return useful >= threads ? threads : useful < 2 ? 1 : (int)useful;
}

// Thread t's walk over the run. Every thread decides the same from the same slots. No thread leaves
// before all have passed the last barrier, because the next run resets the state that is read here.
static void walk(const Run& r, int t) {
  bool previous_parallel = false;
  int64_t index = r.first;
  for (const Slot* launch = r.begin; launch < r.end; launch += launch[1].i, index++) {
    Team team = {t, team_size(launch, r.threads), r.scratch, index};
    bool parallel = team.size > 1;
    if ((parallel || previous_parallel) && launch != r.begin) {
      between.wait(r.threads);
      if (failed_before(index)) break;
    }
    if (t < team.size && !(t == 0 && failed_before(index))) entry_of(launch).run(launch, team);
    previous_parallel = parallel;
  }
  between.wait(r.threads);
}

#if THREADS
static Signal call[MAX_THREADS];  // call[t] advances when thread t has to join a run
static std::atomic<int> alive{1};
static int created = 1;

static void* pool_thread(void* argument) {
  int t = (int)(intptr_t)argument;
  alive.fetch_add(1);
  for (int32_t seen = 0;; seen++) {
    call[t].wait_while(seen, SPIN_IDLE);
    walk(run, t);
  }
  return nullptr;
}
#endif

// The C library returns freed memory to the system, and an eager step then takes it back page by
// page: 8232 page faults, a third of the time of a step of a small CNN. It keeps up to 1 GiB here.
static void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 25);  // the largest that it takes
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

EXPORT int tg_start(int n) {
  keep_freed_memory();
  if (n < 1) n = 1;
  if (n > MAX_THREADS) n = MAX_THREADS;
#if THREADS
  while (created < n) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, pool_thread, (void*)(intptr_t)created)) break;
    pthread_detach(thread);
    created++;
  }
  threads = n < created ? n : created;
#endif
  return threads;
}

EXPORT int tg_threads() { return threads; }

// ---- running ------------------------------------------------------------------------------------

static int stop(int64_t index, int status) {
  failed_at.store(index, std::memory_order_relaxed);
  return status;
}

static bool reserve_scratch(size_t bytes) {
  if (bytes <= scratch_bytes) return true;
  free(scratch);
  scratch = nullptr;
  scratch_bytes = 0;
  void* block = nullptr;
  if (posix_memalign(&block, ALIGNMENT, bytes)) return false;
  scratch = (char*)block;
  scratch_bytes = bytes;
  return true;
}

EXPORT int tg_run(const Slot* slots, int64_t n) {
  // Check the complete encoding and reserve scratch before anything runs; find the part that the
  // pool walks.
  const Slot *end = slots + n, *begin_parallel = end, *end_parallel = end;
  int64_t index = 0, first_parallel = 0;
  double shared_work = 0;
  for (const Slot* launch = slots; launch < end; launch += launch[1].i, index++) {
    int64_t id = launch[0].i;
    if (id < 0 || id >= KERNEL_COUNT || end - launch < 2 || launch[1].i != KERNEL_SLOTS[id] ||
        launch[1].i > end - launch)
      return stop(index, STATUS_UNKNOWN_KERNEL);
    const Entry& entry = entry_of(launch);
    if (entry.scratch && !reserve_scratch(entry.scratch(launch))) return stop(index, STATUS_NO_MEMORY);
    if (team_size(launch, threads) > 1) {
      shared_work += entry.work(launch);
      if (begin_parallel == end) begin_parallel = launch, first_parallel = index;
      end_parallel = launch + launch[1].i;
    }
  }
  failed_at.store(-1, std::memory_order_relaxed);
  failed_status.store(STATUS_OK, std::memory_order_relaxed);
  if (shared_work < NANOSECONDS_PER_RUN) begin_parallel = end;
  if (begin_parallel == end) end_parallel = end;

  index = 0;
  for (const Slot* launch = slots; launch < end && !failed_before(index);) {
    if (launch == begin_parallel) {
      run = {begin_parallel, end_parallel, first_parallel, threads, scratch};
#if THREADS
      for (int t = 1; t < threads; t++) call[t].advance();
#endif
      walk(run, 0);
      for (; launch < end_parallel; launch += launch[1].i) index++;
      continue;
    }
    Team team = {0, 1, scratch, index};
    entry_of(launch).run(launch, team);
    launch += launch[1].i;
    index++;
  }
  return failed_status.load(std::memory_order_relaxed);
}

EXPORT int64_t tg_failed_at() { return failed_at.load(std::memory_order_relaxed); }

EXPORT const char* tg_build() {
#if defined(__wasm__)
#if defined(__wasm64__)
  return "wasm64 "
#else
  return "wasm32 "
#endif
#if defined(__wasm_relaxed_simd__)
         "relaxed-simd"
#else
         "simd"
#endif
#if PAIRED
         " 256-bit"
#endif
#if THREADS
         " threads"
#endif
      ;
#elif defined(__SANITIZE_ADDRESS__)
  return "native asan";
#elif defined(__SANITIZE_THREAD__)
  return "native tsan";
#elif defined(__AVX2__) && defined(__FMA__)
  return "native avx2";
#else
  return "native";
#endif
}

// ---- for JavaScript -----------------------------------------------------------------------------
// Addresses and sizes are doubles, exact to 2^53: the 32-bit and the 64-bit build need no BigInt.

#if defined(__EMSCRIPTEN__)
static const double MAX_BYTES = (double)(SIZE_MAX - 2 * ALIGNMENT);

EXPORT double tg_alloc_js(double n) { return n < MAX_BYTES ? (double)(uintptr_t)tg_alloc((size_t)n) : 0; }
EXPORT void tg_free_js(double p) { tg_free((void*)(uintptr_t)p); }
EXPORT int tg_run_js(double slots, int n) { return tg_run((const Slot*)(uintptr_t)slots, n); }
EXPORT double tg_in_use_js() { return (double)in_use; }
EXPORT int tg_failed_at_js() { return (int)tg_failed_at(); }

// Grows the memory to at least n bytes: allocations up to that size then do not grow it. 0 on
// failure.
EXPORT int tg_reserve_js(double n) {
  return n <= (double)emscripten_get_heap_size() || (n < MAX_BYTES && emscripten_resize_heap((size_t)n));
}
#if THREADS
EXPORT int tg_alive() { return alive.load(); }  // threads that have started, the caller included
#endif
#endif
