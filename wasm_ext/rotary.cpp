// Rotary position embedding (Su et al. 2021) in the half-split layout; the backward is the inverse
// rotation.
//
// First the team fills a table of cosines and sines [T, D/2] in shared scratch, with angles in
// float64; then it rotates every head.
#include "loops.h"

// Within a block of 16 positions, cosine and sine of the next angle follow from the previous one by
// the addition theorem: 16 roundings in float64 are far below one in float32.
constexpr int64_t BLOCK = 16;

static void fill_table(float* cosines, float* sines, const Slot* a, int64_t position, int64_t half, int64_t block) {
  int64_t T = a[ROTARY_T].i, begin = block * BLOCK, end = begin + BLOCK < T ? begin + BLOCK : T;
  double sign = a[ROTARY_inverse].i ? -1 : 1;
  for (int64_t d = 0; d < half; d++) {
    double frequency = pow(a[ROTARY_base].f, -2.0 * (double)d / (double)a[ROTARY_D].i),
           angle = (double)(begin + position) * frequency;
    double c = cos(angle), s = sin(angle), c1 = cos(frequency), s1 = sin(frequency);
    for (int64_t t = begin; t < end; t++) {
      cosines[t * half + d] = (float)c;
      sines[t * half + d] = (float)(sign * s);
      double next = c * c1 - s * s1;
      s = s * c1 + c * s1;
      c = next;
    }
  }
}

static void run_rotary(const Slot* a, Team& team) {
  int64_t T = a[ROTARY_T].i, H = a[ROTARY_H].i, half = a[ROTARY_D].i / 2;
  const int32_t* position = buffer<const int32_t>(a, ROTARY_position);
  float *cosines = (float*)team.scratch, *sines = cosines + T * half;
  Share blocks = share(ceil_div(T, BLOCK), team);
  for (int64_t b = blocks.begin; b < blocks.end; b++)
    fill_table(cosines, sines, a, position ? position[0] : 0, half, b);
  team.barrier();

  Share s = share(a[ROTARY_B].i * T, team);
  for (int64_t row = s.begin; row < s.end; row++) {
    int64_t b = row / T, t = row % T;
    for (int64_t h = 0; h < H; h++) {
      const float* x =
          buffer<const float>(a, ROTARY_x) + b * a[ROTARY_x_b].i + t * a[ROTARY_x_t].i + h * a[ROTARY_x_h].i;
      float* out = buffer<float>(a, ROTARY_out) + b * a[ROTARY_o_b].i + t * a[ROTARY_o_t].i + h * a[ROTARY_o_h].i;
      each_vector(0, half, [&](int64_t d, int m) {
        vf c = vload_tail(cosines + t * half + d, m), sn = vload_tail(sines + t * half + d, m);
        vf left = vload_tail(x + d, m), right = vload_tail(x + half + d, m);
        vf rotated_left = vsub(vmul(left, c), vmul(right, sn)), rotated_right = vadd(vmul(left, sn), vmul(right, c));
        vstore_tail(out + d, rotated_left, m);
        vstore_tail(out + half + d, rotated_right, m);
      });
    }
  }
}

ENTRY(rotary, [](const Slot* a) {
  double half = (double)(a[ROTARY_D].i / 2);
  double T = (double)a[ROTARY_T].i;
  return 100 + half * (60.0 * (double)ceil_div(a[ROTARY_T].i, BLOCK) + T * 2) +
         (double)a[ROTARY_B].i * T * (double)a[ROTARY_H].i * (3 + half * 0.5);
}, [](const Slot* a) { return (size_t)(a[ROTARY_T].i * (a[ROTARY_D].i / 2) * 2) * sizeof(float); });
