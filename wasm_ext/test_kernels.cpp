// Every kernel but matmul and attention against its plain version (test_plain.cpp), with 1, 2, 3
// and 4 threads whose bits must agree.
//
// Buffers are exact in size and scratch is filled with NaN: ASan and UBSan then report an access
// out of bounds, TSan a race, and a read of unwritten scratch gives NaN. The sizes of teams are
// given: the walker's choice plays no part here.
#include <pthread.h>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>
#include "test_plain.h"

// ---- the test's own team ------------------------------------------------------------------------

static pthread_barrier_t meeting;
static std::atomic<int> failure{STATUS_OK};
void Team::barrier() {
  if (size > 1) pthread_barrier_wait(&meeting);
}
void Team::fail(Status status) { failure = status; }

#define DECLARE(name) extern const Entry entry_##name;
FOR_EACH_KERNEL(DECLARE)
static const Entry* entry_of(int64_t id) {
#define CASE(name, NAME) \
  case KERNEL_##NAME: return &entry_##name;
  switch (id) {
    CASE(fill, FILL)
    CASE(arange, ARANGE)
    CASE(copy, COPY)
    CASE(unary, UNARY)
    CASE(unary_backward, UNARY_BACKWARD)
    CASE(binary, BINARY)
    CASE(binary_scalar, BINARY_SCALAR)
    CASE(where, WHERE)
    CASE(tril, TRIL)
    CASE(reduce, REDUCE)
    CASE(global_norm, GLOBAL_NORM)
    CASE(clip_scale, CLIP_SCALE)
    CASE(int8_matmul, INT8_MATMUL)
    CASE(quantize_int8, QUANTIZE_INT8)
    CASE(dequantize_int8, DEQUANTIZE_INT8)
    CASE(layer_norm, LAYER_NORM)
    CASE(add_layer_norm, ADD_LAYER_NORM)
    CASE(layer_norm_backward, LAYER_NORM_BACKWARD)
    CASE(rms_norm, RMS_NORM)
    CASE(rms_norm_backward, RMS_NORM_BACKWARD)
    CASE(softmax, SOFTMAX)
    CASE(softmax_backward, SOFTMAX_BACKWARD)
    CASE(cross_entropy, CROSS_ENTROPY)
    CASE(embedding, EMBEDDING)
    CASE(embedding_backward, EMBEDDING_BACKWARD)
    CASE(rotary, ROTARY)
    CASE(random_uniform, RANDOM_UNIFORM)
    CASE(random_normal, RANDOM_NORMAL)
    CASE(random_int, RANDOM_INT)
    CASE(dropout, DROPOUT)
    CASE(batch_windows, BATCH_WINDOWS)
    CASE(adamw, ADAMW)
    CASE(sgd, SGD)
    CASE(sample, SAMPLE)
    default: return nullptr;
  }
}

static Status run_team(const std::vector<Slot>& slots, int T) {
  const Entry* entry = entry_of(slots[0].i);
  size_t bytes = entry->scratch ? entry->scratch(slots.data()) : 0;
  void* scratch = nullptr;
  if (bytes && posix_memalign(&scratch, 64, bytes)) abort();
  for (size_t i = 0; i + 4 <= bytes; i += 4) memset((char*)scratch + i, 0xff, 4);  // NaN
  if (!(entry->work(slots.data()) >= 0)) abort();
  failure = STATUS_OK;
  pthread_barrier_init(&meeting, nullptr, (unsigned)T);
  auto member = [&](int t) {
    Team team = {t, T, (char*)scratch, 0};
    entry->run(slots.data(), team);
  };
  std::vector<std::thread> others;
  for (int t = 1; t < T; t++) others.emplace_back(member, t);
  member(0);
  for (std::thread& thread : others) thread.join();
  pthread_barrier_destroy(&meeting);
  free(scratch);
  return (Status)failure.load();
}

// ---- launches -----------------------------------------------------------------------------------

static uint32_t state = 1;
static float number() {  // in [-1, 1)
  state = state * 1664525u + 1013904223u;
  return (float)(int32_t)state * 0x1p-31f;
}

struct Data {  // one buffer: its bytes and their type; type 0: absent
  std::vector<char> bytes;
  char type = 0;
};
static Data floats(int64_t n, float scale = 1, float shift = 0) {
  Data d{std::vector<char>(n * 4), 'f'};
  for (int64_t i = 0; i < n; i++) {
    float v = number() * scale + shift;
    memcpy(&d.bytes[i * 4], &v, 4);
  }
  return d;
}
static Data ints(int64_t n, int low, int high) {
  Data d{std::vector<char>(n * 4), 'i'};
  for (int64_t i = 0; i < n; i++) {
    int32_t v = low + (int32_t)((number() + 1) / 2 * (float)(high - low));
    memcpy(&d.bytes[i * 4], &v, 4);
  }
  return d;
}
template <class T> static Data values(char type, std::vector<T> v) {
  Data d{std::vector<char>(v.size() * sizeof(T)), type};
  memcpy(d.bytes.data(), v.data(), d.bytes.size());
  return d;
}
static Data bytes(int64_t n) {
  Data d{std::vector<char>(n), 'b'};
  for (char& c : d.bytes) c = (char)(int)(number() * 127);
  return d;
}
static Data out_f(int64_t n) { return {std::vector<char>(n * 4, (char)0xff), 'f'}; }
static Data out_i(int64_t n) { return {std::vector<char>(n * 4, (char)0x7b), 'i'}; }
static const Data none;

struct Number {
  Slot s;
  Number(double v) { s.f = v; }
  Number(int64_t v) { s.i = v; }
  Number(int v) { s.i = v; }
  Number(bool v) { s.i = v; }
};
typedef std::vector<Number> Numbers;

static int checks = 0, failures = 0;
static void expect(bool ok, const std::string& what) {
  checks++;
  if (ok) return;
  failures++;
  printf("FAILED: %s\n", what.c_str());
}

// One run on copies of the buffers; alias >= 0: buffer `alias` shares the memory of buffer
// `alias_of`. T 0: the plain version.
static std::vector<Data> run(int64_t id, std::vector<Data> data, const Numbers& params, int T, int alias, int alias_of,
                             Status* status) {
  std::vector<Slot> slots(2 + data.size() + params.size());
  slots[0].i = id;
  slots[1].i = (int64_t)slots.size();
  for (size_t i = 0; i < data.size(); i++) slots[2 + i].i = data[i].type ? (int64_t)(uintptr_t)data[i].bytes.data() : 0;
  if (alias >= 0) slots[2 + alias] = slots[2 + alias_of];
  for (size_t i = 0; i < params.size(); i++) slots[2 + data.size() + i] = params[i].s;
  if (T) *status = run_team(slots, T);
  else plain_kernel(id)(slots.data());
  if (alias >= 0) data[alias].bytes = data[alias_of].bytes;
  return data;
}

// The error of two numbers, relative to 1 and to their size, must stay under `tolerance`; integers
// must be equal.
static bool close(const Data& got, const Data& want, double tolerance, std::string* where) {
  if (got.type != 'f') {
    if (got.bytes == want.bytes) return true;
    *where = " (integers differ)";
    return false;
  }
  for (size_t i = 0; i + 4 <= got.bytes.size(); i += 4) {
    float a, b;
    memcpy(&a, &got.bytes[i], 4);
    memcpy(&b, &want.bytes[i], 4);
    if (a == b || (a != a && b != b)) continue;
    if (std::fabs((double)a - b) <= tolerance * (1 + std::fabs((double)b))) continue;
    *where = " at " + std::to_string(i / 4) + ": " + std::to_string(a) + " for " + std::to_string(b);
    return false;
  }
  return true;
}

// Compares with the plain version and across threads. The first `outputs` buffers are outputs.
static void check(const std::string& name, int64_t id, int outputs, const std::vector<Data>& data,
                  const Numbers& params, double tolerance, int alias = -1, int alias_of = -1) {
  Status status = STATUS_OK;
  std::vector<Data> want = run(id, data, params, 0, -1, -1, &status), first;
  for (int T = 1; T <= 4; T++) {
    std::vector<Data> got = run(id, data, params, T, alias, alias_of, &status);
    std::string where, title = name + ", " + std::to_string(T) + " threads, buffer ";
    expect(status == STATUS_OK, title + "status");
    for (int i = 0; i < (int)data.size(); i++) {
      if (i < outputs) expect(close(got[i], want[i], tolerance, &where), title + std::to_string(i) + where);
      else if (i != alias_of) expect(got[i].bytes == data[i].bytes, title + std::to_string(i) + " was written");
      if (T > 1) expect(got[i].bytes == first[i].bytes, title + std::to_string(i) + ": other bits than 1 thread");
    }
    if (T == 1) first = got;
  }
}

static void check_fails(const std::string& name, int64_t id, const std::vector<Data>& data, const Numbers& params) {
  for (int T = 1; T <= 3; T++) {
    Status status = STATUS_OK;
    run(id, data, params, T, -1, -1, &status);
    expect(status == STATUS_BAD_INDEX, name + " must fail");
  }
}

#include "test_kernels_cases.h"

int main() {
  elementwise_cases();
  strided_cases();
  reduce_cases();
  norm_cases();
  softmax_cases();
  table_cases();
  random_cases();
  optimizer_cases();
  sampling_cases();
  int8_cases();
  printf("%d checks, %d failed\n", checks, failures);
  return failures != 0;
}
