// The peaks of this machine in native code, with the loops and the JSON of app/bridges/peak.js,
// which measures WebAssembly.
//
//   cc -O2 -march=native -pthread probe.c -o probe && ./probe THREADS BYTES...
//
// BYTES: the working sets of one thread.
//
// 256-bit vectors, as in the extension's native build; multiply-adds are fused where the processor
// can.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ACCUMULATORS 12
#define ITERATIONS 80000
#define SECONDS 0.12
#define ROUNDS 3
typedef float Vector __attribute__((vector_size(32)));
enum Kind { FMA, READ, ADD };
typedef struct {
  enum Kind kind;
  size_t bytes;
  double rate;
} Job;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

#define LANES (sizeof(Vector) / sizeof(float))
#define KEEP(v) __asm__ volatile("" : "+x"(v))  // the compiler may not look through

// Twelve chains in registers of their own. x changes in every iteration: so no product is hoisted
// out of the loop.
#define EACH(DO) DO(a0) DO(a1) DO(a2) DO(a3) DO(a4) DO(a5) DO(a6) DO(a7) DO(a8) DO(a9) DO(a10) DO(a11)
#define MAKE(a) Vector a = y;
#define STEP(a) \
  a += x * y;   \
  KEEP(a);

static double fma_iterations(void) {
  Vector x = {0}, y = {0};
  x += 1e-9f, y += 0.5f;
  EACH(MAKE)
  for (int i = 0; i < ITERATIONS; i++) {
    KEEP(x);
    EACH(STEP)
  }
  return (double)ITERATIONS * ACCUMULATORS * LANES * 2;
}

static double sweep(enum Kind kind, Vector* data, size_t bytes) {
  size_t n = bytes / sizeof(Vector), half = n / 2;
  if (kind == ADD) {
    for (size_t i = 0; i < half; i++) data[i] += data[half + i];
    __asm__ volatile("" ::: "memory");
    return 1.5 * bytes;
  }
  Vector s[8] = {{0}};
  for (size_t i = 0; i < n; i += 8)
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) s[k] += data[i + k];
  for (int k = 0; k < 8; k++) KEEP(s[k]);
  return bytes;
}

static double once(Job* job, Vector* data) {
  return job->kind == FMA ? fma_iterations() : sweep(job->kind, data, job->bytes);
}

static void* work(void* argument) {
  Job* job = argument;
  Vector* data = NULL;
  if (job->kind != FMA) {
    data = aligned_alloc(64, job->bytes);
    if (!data) return NULL;
    for (size_t i = 0; i < job->bytes / sizeof(Vector); i++) data[i] = (Vector){0};
  }
  once(job, data);
  for (int round = 0; round < ROUNDS; round++) {
    double begun = now(), amount = 0, elapsed = 0;
    for (int several = 1; elapsed < SECONDS; elapsed = now() - begun) {
      for (int i = 0; i < several; i++) amount += once(job, data);
      if (now() - begun < SECONDS / 10) several *= 2;
    }
    if (amount / elapsed > job->rate) job->rate = amount / elapsed;
  }
  free(data);
  return NULL;
}

static double together(int threads, enum Kind kind, size_t bytes) {
  pthread_t thread[256];
  Job job[256];
  double sum = 0;
  for (int i = 0; i < threads; i++) {
    job[i] = (Job){kind, bytes, 0};
    pthread_create(&thread[i], NULL, work, &job[i]);
  }
  for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL), sum += job[i].rate;
  return sum / 1e9;
}

int main(int count, char** argument) {
  int threads = count > 1 ? atoi(argument[1]) : 0;
  if (threads < 1 || threads > 256 || count < 3) {
    fprintf(stderr, "usage: probe THREADS BYTES...; 1 to 256 threads, working sets in bytes\n");
    return 2;
  }
  printf("{\"threads\": %d, \"simd\": \"native\", \"gflop_s\": %.6g, \"bandwidth\": [", threads,
         together(threads, FMA, 0));
  for (int i = 2; i < count; i++) {
    size_t bytes = strtoull(argument[i], NULL, 10) / 1024 * 1024;
    double read = together(threads, READ, bytes), add = together(threads, ADD, bytes);
    printf("%s{\"bytes\": %zu, \"gb_s\": %.6g}", i > 2 ? ", " : "", bytes, read > add ? read : add);
  }
  printf("]}\n");
}
