// Embedding: rows of a table [V, C] gathered by index, and the scatter-add of their gradient.
#include "loops.h"

static void run_embedding(const Slot* a, Team& team) {
  int64_t C = a[EMBEDDING_C].i, V = a[EMBEDDING_V].i;
  const int32_t* index = buffer<const int32_t>(a, EMBEDDING_index);
  Share s = share(a[EMBEDDING_n].i, team);
  for (int64_t i = s.begin; i < s.end; i++) {
    if (index[i] < 0 || index[i] >= V) return team.fail(STATUS_BAD_INDEX);
    if (C == 1) buffer<float>(a, EMBEDDING_out)[i] = buffer<const float>(a, EMBEDDING_table)[index[i]];
    else
      memcpy(buffer<float>(a, EMBEDDING_out) + i * C, buffer<const float>(a, EMBEDDING_table) + index[i] * C,
             C * sizeof(float));
  }
}

// Threads divide the columns, and each adds its own in the order of i: no two threads write the
// same element, and the order of each sum is fixed.
static void run_embedding_backward(const Slot* a, Team& team) {
  int64_t n = a[EMBEDDING_BACKWARD_n].i, C = a[EMBEDDING_BACKWARD_C].i, V = a[EMBEDDING_BACKWARD_V].i;
  float* dtable = buffer<float>(a, EMBEDDING_BACKWARD_dtable);
  const float* dout = buffer<const float>(a, EMBEDDING_BACKWARD_dout);
  const int32_t* index = buffer<const int32_t>(a, EMBEDDING_BACKWARD_index);
  Share s = share(C, team, CACHE_LINE);
  if (s.begin == s.end) return;
  if (s.end - s.begin == C) {
    memset(dtable, 0, V * C * sizeof(float));
  } else {
    for (int64_t v = 0; v < V; v++) memset(dtable + v * C + s.begin, 0, (s.end - s.begin) * sizeof(float));
  }
  for (int64_t i = 0; i < n; i++) {
    if (index[i] < 0 || index[i] >= V) return team.fail(STATUS_BAD_INDEX);
    float* row = dtable + index[i] * C;
    const float* d = dout + i * C;
    each_vector(s.begin, s.end,
                [&](int64_t c, int m) { vstore_tail(row + c, vadd(vload_tail(row + c, m), vload_tail(d + c, m)), m); });
  }
}

ENTRY(embedding, [](const Slot* a) { return 50 + (double)a[EMBEDDING_n].i * (5 + a[EMBEDDING_C].i * 0.15); }, nullptr);
ENTRY(embedding_backward, [](const Slot* a) {
  double C = (double)a[EMBEDDING_BACKWARD_C].i;
  return 50 + (double)a[EMBEDDING_BACKWARD_V].i * (3 + C * 0.05) + (double)a[EMBEDDING_BACKWARD_n].i * (5 + C * 0.15);
}, nullptr);
