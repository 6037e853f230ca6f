// The cases of test_kernels.cpp: odd sizes (1, 3, 17, 65), the presets' shapes, strides,
// broadcasts, and the permitted aliases.
#pragma once

static const int64_t SIZES[] = {1, 3, 17, 65, 1000};
static std::string text(int64_t n) { return std::to_string(n); }
static Numbers dims(std::vector<std::vector<int64_t>> lists) {  // each padded in front: sizes with 1, strides with 0
  Numbers out;
  for (size_t k = 0; k < lists.size(); k++) {
    for (size_t d = lists[k].size(); d < MAX_RANK; d++) out.push_back((int64_t)(k == 0));
    for (int64_t v : lists[k]) out.push_back(v);
  }
  return out;
}
static Numbers join(Numbers a, const Numbers& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

static void elementwise_cases() {
  for (int64_t n : SIZES) {
    for (int dtype = 0; dtype < 2; dtype++) {
      check("fill", KERNEL_FILL, 1, {dtype ? out_i(n) : out_f(n)}, {dtype, n, -3.7}, 1e-7);
      check("arange", KERNEL_ARANGE, 1, {dtype ? out_i(n) : out_f(n)}, {dtype, n, 5.0, -0.3}, 1e-7);
    }
    for (int op = 0; op <= UNARY_COS; op++) {
      bool positive = op == UNARY_LOG || op == UNARY_SQRT || op == UNARY_RSQRT || op == UNARY_RECIPROCAL;
      Data x = positive ? floats(n, 2, 2.5f) : floats(n, 6);
      check("unary " + text(op), KERNEL_UNARY, 1, {out_f(n), x}, {op, n}, 1e-6);
      check("unary in place " + text(op), KERNEL_UNARY, 1, {out_f(n), x}, {op, n}, 1e-6, 0, 1);
      if (op == UNARY_NEG) continue;
      check("unary_backward " + text(op), KERNEL_UNARY_BACKWARD, 1, {out_f(n), floats(n), x}, {op, n}, 3e-6);
      check("unary_backward in place " + text(op), KERNEL_UNARY_BACKWARD, 1, {out_f(n), floats(n), x}, {op, n}, 3e-6, 0,
            1);
    }
    for (int op = 0; op <= BINARY_REMAINDER; op++)
      for (int dtype = 0; dtype < 2; dtype++) {
        if (dtype && (op == BINARY_DIV || op == BINARY_POW)) continue;
        bool test = op >= BINARY_EQ && op <= BINARY_GE;
        Data a = dtype ? ints(n, -9, 9) : floats(n, 2, 2.5f), b = dtype ? ints(n, 1, 5) : floats(n, 1, 1.5f),
             out = dtype || test ? out_i(n) : out_f(n);
        std::string name = "binary " + text(op) + (dtype ? " int32" : "");
        // a quotient near an integer may be floored either way
        double tolerance = op == BINARY_REMAINDER ? 2e-6 : 5e-7;
        check(name, KERNEL_BINARY, 1, {out, a, b}, join({op, dtype}, dims({{n}, {1}, {1}})), tolerance);
        check(name + " into a", KERNEL_BINARY, 1, {out, a, b}, join({op, dtype}, dims({{n}, {1}, {1}})), tolerance, 0,
              1);
        check(name + " into b", KERNEL_BINARY, 1, {out, a, b}, join({op, dtype}, dims({{n}, {1}, {1}})), tolerance, 0,
              2);
        for (double scalar : {2.0, 3.0, 1.5})
          for (int reverse = 0; reverse < 2; reverse++)
            check(name + " scalar", KERNEL_BINARY_SCALAR, 1, {out, dtype ? b : a}, {op, dtype, n, scalar, reverse},
                  2 * tolerance, 0, 1);
      }
  }
  // NaN wins in maximum, minimum, max and min, in either operand; a zero divisor of int32 gives 0.
  Data with_nan = values<float>('f', {1, NAN, 3, -1, 5, 6, 7, 8, 9}), plain = floats(9);
  for (int op : {BINARY_MAXIMUM, BINARY_MINIMUM}) {
    check("NaN", KERNEL_BINARY, 1, {out_f(9), with_nan, plain}, join({op, 0}, dims({{9}, {1}, {1}})), 0);
    check("NaN", KERNEL_BINARY, 1, {out_f(9), plain, with_nan}, join({op, 0}, dims({{9}, {1}, {1}})), 0);
  }
  for (int op = REDUCE_MAX; op <= REDUCE_ARGMIN; op++)
    check("NaN reduce", KERNEL_REDUCE, 1, {op < REDUCE_ARGMAX ? out_f(1) : out_i(1), with_nan}, {op, 0, 1, 9, 1}, 0);
  Status status;
  for (int op : {BINARY_FLOORDIV, BINARY_REMAINDER}) {
    std::vector<Data> got = run(KERNEL_BINARY_SCALAR, {out_i(2), values<int32_t>('i', {7, INT32_MIN})},
                                {op, 1, 2, 0.0, 0}, 1, -1, -1, &status);
    expect(got[0].bytes == std::vector<char>(8, 0), "int32 division by zero gives 0");
  }
}

static void strided_cases() {
  typedef std::vector<int64_t> L;
  struct Case {
    L n, a, b;
  } cases[] = {
      {{65, 17}, {17, 1}, {0, 1}},   // a row is repeated
      {{65, 17}, {17, 1}, {1, 0}},   // a column is repeated
      {{65, 17}, {1, 0}, {0, 1}},    // outer
      {{17, 65}, {1, 17}, {65, 1}},  // a transposed
      {{17, 65}, {0, 0}, {65, 1}},   // a scalar
      {{3, 4, 5, 2, 3, 2}, {240, 60, 12, 6, 2, 1}, {0, 2, 8, 1, 0, 1}},
      {{3, 4, 5, 2, 3, 2}, {1, 3, 12, 60, 120, 360}, {1, 0, 3, 0, 15, 0}},
      {{1, 1}, {0, 0}, {0, 0}},
      {{4, 1, 300}, {300, 7, 1}, {0, 0, 1}},
  };
  for (const Case& c : cases) {
    int64_t count = 1, ea = 1, eb = 1;
    for (size_t d = 0; d < c.n.size(); d++) count *= c.n[d], ea += (c.n[d] - 1) * c.a[d], eb += (c.n[d] - 1) * c.b[d];
    Numbers layout = dims({c.n, c.a, c.b});
    for (int op : {BINARY_ADD, BINARY_SUB, BINARY_POW, BINARY_LT})
      check("binary strided " + text(count), KERNEL_BINARY, 1,
            {op == BINARY_LT ? out_i(count) : out_f(count), floats(ea, 1, 2), floats(eb)}, join({op, 0}, layout), 5e-7);
    check("binary strided int32", KERNEL_BINARY, 1, {out_i(count), ints(ea, -9, 9), ints(eb, -9, 9)},
          join({BINARY_MUL, 1}, layout), 0);
    check("where", KERNEL_WHERE, 1, {out_f(count), ints(ea, 0, 2), floats(eb), floats(ea)},
          join({0}, dims({c.n, c.a, c.b, c.a})), 0);
    check("where", KERNEL_WHERE, 1, {out_i(count), ints(eb, 0, 2), ints(ea, 0, 9), ints(1, 5, 6)},
          join({1}, dims({c.n, c.b, c.a, L(c.n.size())})), 0);
    L dense(c.n.size(), 1), reversed(c.n.size(), 1);
    for (size_t d = c.n.size(); d-- > 1;) dense[d - 1] = dense[d] * c.n[d];
    for (size_t d = 1; d < c.n.size(); d++) reversed[d] = reversed[d - 1] * c.n[d - 1];
    Data sources[] = {floats(ea, 100), ints(ea, -99, 99), bytes(ea)};
    for (int to = 0; to < 3; to++)
      for (int from = 0; from < 3; from++)
        for (const L& o : {dense, reversed}) {
          Data out = to == 0 ? out_f(count) : to == 1 ? out_i(count) : bytes(count);
          check("copy", KERNEL_COPY, 1, {out, sources[from]}, join({to, from}, dims({c.n, o, c.a})), 0);
        }
  }
  for (int64_t n : {7, 64, 100})  // transposes with a batch, and a slice into a wider output
    for (int64_t m : {5, 33, 128}) {
      check("transpose", KERNEL_COPY, 1, {out_f(3 * n * m), floats(3 * n * m)},
            join({0, 0}, dims({{3, n, m}, {n * m, m, 1}, {n * m, 1, n}})), 0);
      check("slice", KERNEL_COPY, 1, {floats(n * (m + 3)), floats(n * m)},
            join({0, 0}, dims({{n, m}, {m + 3, 1}, {m, 1}})), 0);
    }
  check("empty copy", KERNEL_COPY, 1, {out_f(0), floats(0)}, join({0, 0}, dims({{0, 4}, {4, 1}, {4, 1}})), 0);
  check("empty binary", KERNEL_BINARY, 1, {out_f(0), floats(0), floats(4)},
        join({0, 0}, dims({{0, 4}, {4, 1}, {0, 1}})), 0);
  for (int64_t diagonal : {-20, -2, 0, 1, 20})
    for (int upper = 0; upper < 2; upper++)
      check("tril", KERNEL_TRIL, 1, {out_f(3 * 17 * 9), floats(3 * 17 * 9)}, {0, 3, 17, 9, diagonal, upper}, 0, 0, 1);
}

static void reduce_cases() {
  struct {
    int64_t outer, n, inner;
  } shapes[] = {{1, 1, 1},  {3, 17, 1},    {65, 65, 1},   {1, 20000, 1}, {2, 8192, 1},
                {17, 3, 5}, {1, 1024, 96}, {1, 300, 257}, {4, 129, 3},   {100, 1, 7}};
  for (auto s : shapes)
    for (int op = 0; op <= REDUCE_ARGMIN; op++)
      for (int dtype = 0; dtype < 2; dtype++) {
        if (dtype && op == REDUCE_MEAN) continue;
        int64_t outputs = s.outer * s.inner, n = s.outer * s.n * s.inner;
        check("reduce " + text(op) + " of " + text(s.outer) + ", " + text(s.n) + ", " + text(s.inner), KERNEL_REDUCE, 1,
              {dtype || op >= REDUCE_ARGMAX ? out_i(outputs) : out_f(outputs), dtype ? ints(n, -50, 50) : floats(n)},
              {op, dtype, s.outer, s.n, s.inner}, 3e-6);
      }
  for (int64_t n : {1, 7, 1000, 50000}) {
    check("global_norm", KERNEL_GLOBAL_NORM, 1, {out_f(1), floats(n)}, {n}, 1e-7);
    check("global_norm of large numbers", KERNEL_GLOBAL_NORM, 1, {out_f(1), floats(n, 1e25f)}, {n}, 1e-7);
    for (float norm : {0.1f, 3.0f, NAN})
      check("clip_scale", KERNEL_CLIP_SCALE, 1, {floats(n), values<float>('f', {norm})}, {n, 1.0}, 2e-7);
  }
}

static void norm_cases() {
  struct {
    int64_t rows, C;
  } shapes[] = {{1, 1}, {3, 3}, {17, 17}, {65, 65}, {512, 48}, {100, 96}, {33, 1280}, {1024, 256}};
  for (auto s : shapes) {
    int64_t R = s.rows, C = s.C, n = R * C;
    std::string name = " " + text(R) + " x " + text(C);
    for (int given = 0; given < 2; given++) {
      Data weight = given ? floats(C, 0.5f, 1) : none, bias = given ? floats(C) : none;
      check("layer_norm" + name, KERNEL_LAYER_NORM, 3, {out_f(n), out_f(R), out_f(R), floats(n, 2, 5), weight, bias},
            {R, C, 1e-5}, C < 3 ? 1e-3 : 1e-5);
      check("add_layer_norm" + name, KERNEL_ADD_LAYER_NORM, 4,
            {out_f(n), out_f(n), out_f(R), out_f(R), floats(n, 2), floats(n), weight, bias}, {R, C, 1e-5},
            C < 3 ? 1e-3 : 1e-5);
      Data add = given ? floats(n) : none;
      Data mean = floats(R, 0.1f), rstd = floats(R, 0.5f, 1);
      std::vector<Data> backward = {
          out_f(n), given ? out_f(C) : none, out_f(C), floats(n), floats(n), weight, mean, rstd, add};
      double tolerance = 2e-6 * (1 + (double)R / 100);
      check("layer_norm_backward" + name, KERNEL_LAYER_NORM_BACKWARD, 3, backward, {R, C}, tolerance);
      if (given)
        check("layer_norm_backward into add" + name, KERNEL_LAYER_NORM_BACKWARD, 3, backward, {R, C}, tolerance, 0, 8);
      backward[1] = backward[2] = none;
      check("layer_norm_backward of x alone" + name, KERNEL_LAYER_NORM_BACKWARD, 1, backward, {R, C}, tolerance);
      check("rms_norm" + name, KERNEL_RMS_NORM, 2, {out_f(n), out_f(R), floats(n, 2), weight}, {R, C, 1e-6}, 2e-6);
      check("rms_norm_backward" + name, KERNEL_RMS_NORM_BACKWARD, 2,
            {out_f(n), given ? out_f(C) : none, floats(n), floats(n), weight, rstd, add}, {R, C}, tolerance);
    }
  }
}

static void softmax_cases() {
  struct { int64_t rows, n; } shapes[] = {{1, 1}, {3, 3}, {17, 17}, {65, 65}, {128, 256}, {2, 50257}};
  for (auto s : shapes) {
    int64_t R = s.rows, V = s.n, n = R * V;
    for (int log = 0; log < 2; log++) {
      check("softmax", KERNEL_SOFTMAX, 1, {out_f(n), floats(n, 8)}, {R, V, log}, 2e-6);
      check("softmax in place", KERNEL_SOFTMAX, 1, {out_f(n), floats(n, 80)}, {R, V, log}, 2e-6, 0, 1);
      check("softmax_backward", KERNEL_SOFTMAX_BACKWARD, 1, {out_f(n), floats(n), floats(n, 0.5f, log ? -5.0f : 0.5f)},
            {R, V, log}, 1e-5, 0, 1);
    }
    Data targets = ints(R, 0, (int)V);
    if (R > 2) {
      int32_t ignored = -100;
      memcpy(&targets.bytes[4], &ignored, 4);
    }
    for (int reduction = 0; reduction < 3; reduction++) {
      std::vector<Data> data = {out_f(R), out_f(1), out_f(n), floats(n, 5), targets};
      check("cross_entropy", KERNEL_CROSS_ENTROPY, 3, data, {R, V, -100, reduction}, 2e-6);
      check("cross_entropy in place", KERNEL_CROSS_ENTROPY, 3, data, {R, V, -100, reduction}, 2e-6, 2, 3);
      data[2] = none;
      check("cross_entropy without gradient", KERNEL_CROSS_ENTROPY, 2, data, {R, V, -100, reduction}, 2e-6);
    }
  }
  check("cross_entropy, no valid row", KERNEL_CROSS_ENTROPY, 3,
        {out_f(2), out_f(1), out_f(6), floats(6), ints(2, 1, 2)}, {2, 3, 1, REDUCTION_MEAN}, 0);
  for (int32_t bad : {-1, 3, INT32_MAX})
    check_fails("cross_entropy", KERNEL_CROSS_ENTROPY,
                {out_f(2), out_f(1), out_f(6), floats(6), values<int32_t>('i', {0, bad})},
                {2, 3, -100, REDUCTION_MEAN});
}

static void table_cases() {
  for (int64_t C : {1, 3, 17, 48, 65, 256})
    for (int64_t n : {1, 65, 512}) {
      check("embedding", KERNEL_EMBEDDING, 1, {out_f(n * C), floats(40 * C), ints(n, 0, 40)}, {n, C, 40}, 0);
      check("embedding_backward", KERNEL_EMBEDDING_BACKWARD, 1, {out_f(40 * C), floats(n * C), ints(n, 0, 40)},
            {n, C, 40}, 1e-5);
    }
  for (int32_t bad : {-1, 40, INT32_MIN}) {
    check_fails("embedding", KERNEL_EMBEDDING, {out_f(3 * 20), floats(40 * 20), values<int32_t>('i', {1, bad, 3})},
                {3, 20, 40});
    check_fails("embedding_backward", KERNEL_EMBEDDING_BACKWARD,
                {out_f(40 * 20), floats(3 * 20), values<int32_t>('i', {1, bad, 3})}, {3, 20, 40});
  }
  for (int64_t T : {1, 3, 17, 65, 130})
    for (int64_t D : {2, 6, 32, 64})
      for (int inverse = 0; inverse < 2; inverse++) {
        int64_t B = 2, H = 3, n = B * T * H * D;
        // x is [B, T, H, D], out [B, H, T, D].
        Numbers strides = {T * H * D, H * D, D, T * H * D, D, T * D};
        Numbers sizes = join(join({B, T, H, D}, strides), {10000.0, inverse});
        check("rotary", KERNEL_ROTARY, 1, {out_f(n), floats(n), none}, sizes, 5e-7);
        sizes[8] = H * D, sizes[9] = D;
        check("rotary in place from 100", KERNEL_ROTARY, 1, {out_f(n), floats(n), values<int32_t>('i', {100})}, sizes,
              5e-7, 0, 1);
      }
}

static void random_cases() {
  // Known answers of Random123 (kat_vectors: philox4x32-10): counter and key zero, and all ones in
  // what this stream can set.
  Status status;
  std::vector<Data> zero = run(KERNEL_RANDOM_INT, {out_i(4), values<int32_t>('i', {0, 0, 0, 0})},
                               {4, (int64_t)INT32_MIN, (int64_t)INT32_MAX + 1, 0}, 1, -1, -1, &status);
  const uint32_t answer[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (int i = 0; i < 4; i++) {
    uint32_t got;
    memcpy(&got, &zero[0].bytes[4 * i], 4);
    expect((got ^ 0x80000000u) == answer[i], "Philox 4x32-10 known answer, word " + text(i));
  }
  // The counter of the second stream carries into its high word.
  Data rngs[] = {values<int32_t>('i', {42, 0, 0, 0}), values<int32_t>('i', {-5, 77, -3, 9})};
  for (const Data& rng : rngs)
    for (int64_t n : {1, 3, 17, 64, 65, 1000})
      for (int64_t offset : {0, 5}) {
        check("random_uniform", KERNEL_RANDOM_UNIFORM, 1, {out_f(n), rng}, {n, -2.0, 3.0, offset}, 2e-7);
        check("random_normal", KERNEL_RANDOM_NORMAL, 1, {out_f(n), rng}, {n, 1.0, 0.02, offset}, 1e-7);
        check("random_int", KERNEL_RANDOM_INT, 1, {out_i(n), rng}, {n, -7, 1000, offset}, 0);
        for (double p : {0.0, 0.1, 0.9, 1.0})
          check("dropout", KERNEL_DROPOUT, 1, {out_f(n), floats(n), rng}, {n, p, offset}, 2e-7, 0, 1);
        check("batch_windows", KERNEL_BATCH_WINDOWS, 3, {out_i(n * 5), out_i(n * 5), out_i(n), ints(100, 0, 256), rng},
              {n, 5, 10, 100, offset}, 0);
      }
  check("batch_windows, one place", KERNEL_BATCH_WINDOWS, 3, {out_i(15), out_i(15), out_i(3), ints(6, 0, 256), rngs[0]},
        {3, 5, 0, 6, 0}, 0);
  check_fails("batch_windows", KERNEL_BATCH_WINDOWS, {out_i(15), out_i(15), out_i(3), ints(5, 0, 256), rngs[0]},
              {3, 5, 0, 5, 0});
}

static void optimizer_cases() {
  for (int64_t n : {1, 17, 65, 5000}) {
    int32_t ends[2] = {(int32_t)(n * 2 / 3), (int32_t)n};
    std::vector<float> hyper = {0, 3e-4f, 0.9f, 0.95f,  1e-8f, 0.1f, 0.271f, 0.3f,
                                0, 1e-2f, 0.8f, 0.999f, 1e-6f, 0,    0.1f,   0.0316f};
    for (int g = 0; g < 2; g++) memcpy(&hyper[8 * g], &ends[g], 4);
    const Data norms[] = {none, values<float>('f', {2.5f}), values<float>('f', {INFINITY}), values<float>('f', {NAN})};
    for (const Data& norm : norms)
      check("adamw", KERNEL_ADAMW, 3,
            {floats(n), floats(n, 0.1f), floats(n, 0.01f, 0.011f), floats(n, 0.5f), values('f', hyper), norm}, {n, 2},
            3e-7);
    for (float nesterov : {0.0f, 1.0f})
      for (float first : {0.0f, 1.0f}) {
        std::vector<float> sgd = {0, 0.1f,  0.9f, 0,    0.01f, nesterov, first, 0,
                                  0, 0.05f, 0.5f, 0.3f, 0,     nesterov, first, 0};
        for (int g = 0; g < 2; g++) memcpy(&sgd[8 * g], &ends[g], 4);
        for (const Data& norm : norms) {
          check("sgd", KERNEL_SGD, 2, {floats(n), floats(n), floats(n), values('f', sgd), norm}, {n, 2}, 3e-7);
          check("sgd without momentum", KERNEL_SGD, 2, {floats(n), none, floats(n), values('f', sgd), norm}, {n, 2},
                3e-7);
        }
      }
  }
}

static void sampling_cases() {
  for (int64_t V : {1, 3, 17, 256, 50257})
    for (float temperature : {0.0f, 0.7f, 1.5f})
      for (float k : {0.0f, 1.0f, 5.0f, 40.0f})
        for (float p : {0.0f, 0.3f, 0.9f, 1.0f}) {
          int64_t B = V > 1000 ? 2 : 7;
          Data logits = V == 17 ? floats(B * V) : floats(B * V, 6);
          for (int64_t i = 0; V == 17 && i < B * V; i++) {  // few distinct values: ties
            float v;
            memcpy(&v, &logits.bytes[4 * i], 4);
            v = std::floor(v * 2) / 2;
            memcpy(&logits.bytes[4 * i], &v, 4);
          }
          check("sample of " + text(V), KERNEL_SAMPLE, 1,
                {out_i(B), logits, ints(4, -999999, 999999), values<float>('f', {temperature, k, p, 0})}, {B, V, 3}, 0);
        }
  Status status;
  for (float strange : {NAN, INFINITY, -INFINITY}) {
    std::vector<Data> got = run(
        KERNEL_SAMPLE,
        {out_i(1), values<float>('f', {strange, strange, strange}), ints(4, 0, 9), values<float>('f', {1, 2, 0.5f, 0})},
        {1, 3, 0}, 1, -1, -1, &status);
    int32_t token;
    memcpy(&token, got[0].bytes.data(), 4);
    expect(token >= 0 && token < 3, "a token from strange logits is in the vocabulary");
  }
}

static void int8_cases() {
  for (int64_t M : {1, 2, 3, 7})
    for (int64_t N : {1, 3, 17, 65, 256})
      for (int64_t K : {1, 3, 17, 96, 256}) {
        check("int8_matmul", KERNEL_INT8_MATMUL, 1,
              {out_f(M * N), floats(M * K), bytes(N * K), floats(N, 0.01f, 0.01f), floats(N)}, {M, N, K},
              M == 1 ? 1e-3 : 3e-5);
        check("int8_matmul without bias", KERNEL_INT8_MATMUL, 1,
              {out_f(M * N), floats(M * K), bytes(N * K), floats(N, 0.01f, 0.01f), none}, {M, N, K},
              M == 1 ? 1e-3 : 3e-5);
      }
  for (int64_t K : {1, 3, 17, 96}) {
    Data x = floats(9 * K, 0.02f);
    memset(x.bytes.data(), 0, K * 4);  // the first row is zero
    check("quantize_int8", KERNEL_QUANTIZE_INT8, 2, {bytes(9 * K), out_f(9), x}, {9, K}, 1e-9);
    check("dequantize_int8", KERNEL_DEQUANTIZE_INT8, 1, {out_f(9 * K), bytes(9 * K), floats(9, 0.01f, 0.01f)}, {9, K},
          1e-9);
  }
}
