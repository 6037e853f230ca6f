// The remainder of float32, for `#include truncated_remainder` after `#include math`.
// C's fmod, exact: the mantissas as integers, eight bits of the quotient a time.
fn truncated_remainder(a: f32, b: f32) -> f32 {
  let x = bitcast<u32>(a) & 0x7fffffffu;
  let y = bitcast<u32>(b) & 0x7fffffffu;
  if (x >= 0x7f800000u || y > 0x7f800000u || y == 0u) { return nan(); }
  if (x < y) { return a; }
  let y_exponent = max(y >> 23u, 1u);
  var shift = max(x >> 23u, 1u) - y_exponent;
  let divisor = (y & 0x7fffffu) | select(0u, 0x800000u, y >= 0x800000u);
  var rest = ((x & 0x7fffffu) | select(0u, 0x800000u, x >= 0x800000u)) % divisor;
  while (shift > 0u) {
    let bits = min(shift, 8u);
    rest = (rest << bits) % divisor;
    shift -= bits;
  }
  let r = m_scale(f32(rest), i32(y_exponent) - 150);
  return select(r, -r, bitcast<u32>(a) >> 31u == 1u);
}
