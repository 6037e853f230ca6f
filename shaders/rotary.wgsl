// Rotary position embedding (Su et al. 2021), half-split layout; the backward is the inverse
// rotation.
//
// In: x [B, T, H, D] at any strides, position (of the first token; absent: 0), frequency. Out: out,
// at any strides; it may be x, since a thread has both items (f32 or vec4) of a pair. Dispatch:
// pairs / W.
//
// The angle of position t and pair d is t * base^(-2d/D). In float32 the product alone would be off
// by t * 6e-8: so it is a phase, a fraction of a cycle in integers, where whole cycles vanish by
// themselves. `frequency` holds base^(-2d/D) / (2 pi) mod 1 in units of 2^-64 (low word, high
// word), made in float64 by the plan; the phase, in units of 2^-32, is the upper word of position *
// frequency.
//! shader rotary
//! buffers out:w:${E} x:r:${E} position?:r:i32 frequency:r:vec2<u32>
//! params n:u32 T:u32 H:u32 half:u32 x_b:u32 x_t:u32 x_h:u32 out_b:u32 out_t:u32 out_h:u32 sign:f32
#include math
// (sine, cosine) of position times frequency d.
fn rotation(position: i32, d: u32) -> vec2f {
  let f = frequency[P.frequency + d];
  let t = u32(abs(position));
  let phase = t * f.y + m_multiply_high(t, f.x);
  let u = f32(bitcast<i32>(phase)) * 2.32830644e-10;
  return vec2f(select(P.sign, -P.sign, position < 0) * m_sin_turns(u), m_cos_turns(u));
}

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * ${W}u + lid;
  if (i >= P.n) { return; }
  let d = i % P.half;
  let h = i / P.half % P.H;
  let t = i / P.half / P.H % P.T;
  let b = i / P.half / P.H / P.T;
#if position
  let at = i32(t) + position[P.position];
#else
  let at = i32(t);
#end
#if vec
  let r0 = rotation(at, 4u * d);
  let r1 = rotation(at, 4u * d + 1u);
  let r2 = rotation(at, 4u * d + 2u);
  let r3 = rotation(at, 4u * d + 3u);
  let s = vec4f(r0.x, r1.x, r2.x, r3.x);
  let c = vec4f(r0.y, r1.y, r2.y, r3.y);
#else
  let r = rotation(at, d);
  let s = r.x;
  let c = r.y;
#end
  let at_x = P.x + b * P.x_b + t * P.x_t + h * P.x_h + d;
  let to = P.out + b * P.out_b + t * P.out_t + h * P.out_h + d;
  let left = x[at_x];
  let right = x[at_x + P.half];
  out[to] = left * c - right * s;
  out[to + P.half] = left * s + right * c;
}
