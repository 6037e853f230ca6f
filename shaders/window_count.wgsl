// What the sum of a window is divided by: P.divisor, or the number of its elements, with
// P.count_pad those in the padding too.
fn padded_size(w: Window, size: i32, kernel: i32, padding: i32) -> i32 {
#if adaptive
  return w.last - w.first;
#else
  return min(w.begin + kernel, size + padding) - w.begin;
#end
}
fn window_count(w0: Window, w1: Window, w2: Window) -> i32 {
  if (P.divisor != 0) { return P.divisor; }
  if (P.count_pad != 0) {
    return padded_size(w0, P.i0, P.k0, P.p0) * padded_size(w1, P.i1, P.k1, P.p1) * padded_size(w2, P.i2, P.k2, P.p2);
  }
  return (w0.last - w0.first) * (w1.last - w1.first) * (w2.last - w2.first);
}
fn inside(at: i32, w: Window) -> bool { return at >= w.first && at < w.last; }
