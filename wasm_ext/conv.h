// What the convolution kernels share: the sizes of a launch, and how a band of the padded source is
// laid out so that for each tap the positions of a row are contiguous.
//
// Along each dimension a position i reads, for tap t, the source at i * stride + shift(t). The
// source is copied with its columns divided by their remainder modulo the stride, its rows too:
// element (i, t) is then at i + a place that depends on t alone.
#pragma once
#include "microkernel.h"
#include "runtime.h"

// One spatial dimension of a convolution, in the words of its forward.
struct Size { Index in, kernel, out, stride, pad, dilation; };

// One dimension of a phase. Position i is element first + i * step of the output; tap t is element
// tap(t) of the kernel and reads the source at i * stride + low + shift(t), shift(t) >= 0.
struct Axis {
  Index count, first, step, taps, stride, low, reach;  // reach: the largest shift
  Index tap0, tap_step, shift0, shift_step;
  Index tap(Index t) const { return tap0 + t * tap_step; }
  Index shift(Index t) const { return shift0 + t * shift_step; }
  Index remainders() const { return reach + 1 < stride ? reach + 1 : stride; }  // that some tap may have
};

static inline Axis axis_of(Index count, Index first, Index step, Index stride, Index taps, Index tap0, Index tap_step,
                           Index shift0, Index shift_step) {
  const Index last = shift0 + (taps ? taps - 1 : 0) * shift_step, low = shift0 < last ? shift0 : last;
  return {count, first,    step,         taps,      stride, low, (shift0 < last ? last : shift0) - low,
          tap0,  tap_step, shift0 - low, shift_step};
}

static inline Axis forward_axis(const Size& s) {
  return axis_of(s.out, 0, 1, s.stride, s.kernel, 0, 1, -s.pad, s.dilation);
}

static inline Index greatest_common_divisor(Index a, Index b) { return b ? greatest_common_divisor(b, a % b) : a; }

// The input's elements r, r + stride, ..: those that the same taps reach. Tap k reaches element
// r + i * stride from the output's i + (r + pad - k * dilation) / stride, where that is whole.
static inline Axis backward_axis(const Size& s, Index r) {
  const Index tap_step = s.stride / greatest_common_divisor(s.stride, s.dilation);
  Index tap = 0;
  while (tap < tap_step && (r + s.pad - tap * s.dilation) % s.stride) tap++;
  const bool any = tap < tap_step && tap < s.kernel;
  return axis_of(r < s.in ? ceil_div(s.in - r, s.stride) : 0, r, s.stride, 1,
                 any ? ceil_div(s.kernel - tap, tap_step) : 0, tap, tap_step,
                 any ? (r + s.pad - tap * s.dilation) / s.stride : 0, -tap_step * s.dilation / s.stride);
}

// A band in scratch: for each channel, tap of z, remainder of y and of x, a plane of lines x
// columns.
struct Layout { Index lines, columns, plane, channel, size; };

static inline Layout layout_of(Index channels, const Axis& z, const Axis& y, const Axis& x, Index rows) {
  const Index lines = rows + y.reach / y.stride, columns = x.count + x.reach / x.stride, plane = lines * columns,
              channel = z.taps * y.remainders() * x.remainders() * plane;
  return {lines, columns, plane, channel, channels * channel};
}

// The place of tap (s, z, y, x) for the first position, in the order of k.
static inline void fill_offsets(const Layout& l, Index channels, const Axis& z, const Axis& y, const Axis& x,
                                int32_t* offsets) {
  for (Index s = 0; s < channels; s++)
    for (Index tz = 0; tz < z.taps; tz++)
      for (Index ty = 0; ty < y.taps; ty++)
        for (Index tx = 0; tx < x.taps; tx++) {
          const Index v = y.shift(ty), u = x.shift(tx);
          const Index plane = (tz * y.remainders() + v % y.stride) * x.remainders() + u % x.stride;
          *offsets++ = (int32_t)(s * l.channel + plane * l.plane + v / y.stride * l.columns + u / x.stride);
        }
}

// One line of the band: columns q of x[q * stride + begin], zero outside of the `width` elements.
template <class T> static inline void copy_line(const T* x, Index width, Index begin, Index stride, Index n, T* to) {
  Index low = begin < 0 ? ceil_div(-begin, stride) : 0;
  Index high = width > begin ? ceil_div(width - begin, stride) : 0;
  if (low > n) low = n;
  if (high > n) high = n;
  if (high < low) high = low;
  for (Index q = 0; q < low; q++) to[q] = 0;
  if (stride == 1) {
    for (Index q = low; q < high; q++) to[q] = x[begin + q];
  } else {
    for (Index q = low; q < high; q++) to[q] = x[begin + q * stride];
  }
  for (Index q = high; q < n; q++) to[q] = 0;
}

// The band of positions from `row` on, at position `at` of z, of `channels` channels of x, each of
// dims[0] x dims[1] x dims[2].
template <class T>
static void copy_source(const Layout& l, const Axis& z, const Axis& y, const Axis& x, const Index (&dims)[3],
                        Index channels, const T* from, Index at, Index row, T* to) {
  for (Index s = 0; s < channels; s++, from += dims[0] * dims[1] * dims[2])
    for (Index tz = 0; tz < z.taps; tz++) {
      const Index plane = at * z.stride + z.low + z.shift(tz);
      const bool here = plane >= 0 && plane < dims[0];
      for (Index fy = 0; fy < y.remainders(); fy++)
        for (Index fx = 0; fx < x.remainders(); fx++)
          for (Index line = 0; line < l.lines; line++, to += l.columns) {
            const Index v = (row + line) * y.stride + fy + y.low;
            if (here && v >= 0 && v < dims[1])
              copy_line(from + (plane * dims[1] + v) * dims[2], dims[2], fx + x.low, x.stride, l.columns, to);
            else
              for (Index q = 0; q < l.columns; q++) to[q] = 0;
          }
    }
}

// From the slot of i0 on: three sizes each of input, kernel, output, stride, padding, dilation.
static inline void read_sizes(const Slot* a, Size (&size)[3]) {
  for (int d = 0; d < 3; d++)
    size[d] = {(Index)a[d].i,     (Index)a[3 + d].i,  (Index)a[6 + d].i,
               (Index)a[9 + d].i, (Index)a[12 + d].i, (Index)a[15 + d].i};
}

// Multiply-adds of a convolution, from the slot of dtype on: dtype, N, C, O, groups, sizes.
static inline double conv_products(const Slot* a) {
  double products = (double)a[1].i * a[2].i * a[3].i / (a[4].i > 0 ? a[4].i : 1);
  for (int d = 0; d < 3; d++) products *= (double)a[8 + d].i * a[11 + d].i;
  return products;
}
