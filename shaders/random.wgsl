// Random numbers, dropout and random training windows, all from Philox streams (philox.wgsl).
//
// In: rng, the stream's seed and base; P.offset, the launch's place in it. Out: `out`, or the
// windows x and y. Dispatch: elements / 1024. An invocation takes one block, which is four elements
// of out (E is their type): one vector where V is 4, and the last vector keeps what is behind P.n;
// else one by one. Nothing here rounds differently from one device to another but random_normal's
// logarithm, sine and root, and the last bit of random_uniform.
#include philox

#if E
fn block_words(j: u32) -> vec4u {
  return philox_block(vec4u(rng[P.rng], rng[P.rng + 1u], rng[P.rng + 2u], rng[P.rng + 3u]),
                      vec2u(P.offset_low, P.offset_high), j);
}

fn store(j: u32, value: vec4<${E}>) {
  let rest = P.n - 4u * j;
#if V == 4
  if (rest < 4u) {
    out[P.out + j] = select(out[P.out + j], value, vec4u(0u, 1u, 2u, 3u) < vec4u(rest));
    return;
  }
  out[P.out + j] = value;
#else
#for c in range(4)
  if (rest > ${c}u) { out[P.out + 4u * j + ${c}u] = value.${"xyzw"[c]}; }
#end
#end
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let j = group_index(wid, nwg) * 256u + lid;
  if (4u * j >= P.n) { return; }
  store(j, draw(j, block_words(j)));
}
#end

//! shader random_uniform
//! buffers out:w:${"vec4<f32>" if V == 4 else "f32"} rng:r:u32
//! params n:u32 offset_low:u32 offset_high:u32 low:f32 width:f32
fn draw(j: u32, words: vec4u) -> vec4f { return P.low + P.width * philox_uniform(words); }

//! shader random_normal
//! buffers out:w:${"vec4<f32>" if V == 4 else "f32"} rng:r:u32
//! params n:u32 offset_low:u32 offset_high:u32 mean:f32 deviation:f32
#include math
// Box-Muller. 1 - u1 and u2 - 1 are exact.
fn pair(u1: f32, u2: f32) -> vec2f {
  let turns = select(u2, u2 - 1.0, u2 > 0.5);
  return P.mean + P.deviation * sqrt(max(-2.0 * m_log(1.0 - u1), 0.0)) * vec2f(m_cos_turns(turns), m_sin_turns(turns));
}
fn draw(j: u32, words: vec4u) -> vec4f {
  let u = philox_uniform(words);
  return vec4f(pair(u.x, u.y), pair(u.z, u.w));
}

//! shader random_int
//! buffers out:w:${"vec4<i32>" if V == 4 else "i32"} rng:r:u32
//! params n:u32 offset_low:u32 offset_high:u32 low:i32 limit:u32 whole:u32
// Lemire's multiply-shift; whole: the range is all 2^32 numbers.
fn draw(j: u32, words: vec4u) -> vec4i {
  let below = vec4u(philox_product(words.x, P.limit).y, philox_product(words.y, P.limit).y,
                    philox_product(words.z, P.limit).y, philox_product(words.w, P.limit).y);
  return P.low + bitcast<vec4i>(select(below, words, P.whole == 1u));
}

//! shader dropout
//! buffers out:w:${"vec4<f32>" if V == 4 else "f32"} x:r:${"vec4<f32>" if V == 4 else "f32"} rng:r:u32
//! params n:u32 offset_low:u32 offset_high:u32 dropped:u32 scale:f32
// The mask is exact: u < p where the upper 24 bits are below `dropped`, p * 2^24 rounded up.
fn draw(j: u32, words: vec4u) -> vec4f {
#if V == 4
  let value = x[P.x + j];
#else
  let last = P.n - 1u;
  let value = vec4f(x[P.x + 4u * j], x[P.x + min(4u * j + 1u, last)],
                    x[P.x + min(4u * j + 2u, last)], x[P.x + min(4u * j + 3u, last)]);
#end
  return select(value * P.scale, vec4f(), (words >> vec4u(8u)) < vec4u(P.dropped));
}

//! shader batch_windows
//! buffers x:w:i32 y:w:i32 starts:w:i32 tokens:r:i32 rng:r:u32
//! params B:u32 T:u32 low:u32 places:u32 parts:u32 offset_low:u32 offset_high:u32
// A workgroup takes ${W} places of one window; all of them work out where it starts.
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  let b = group / P.parts;
  let t = group % P.parts * ${W}u + lid;
  if (b >= P.B || t >= P.T) { return; }
  let seed = vec4u(rng[P.rng], rng[P.rng + 1u], rng[P.rng + 2u], rng[P.rng + 3u]);
  let words = philox_block(seed, vec2u(P.offset_low, P.offset_high), b / 4u);
  let word = select(select(words.x, words.y, b % 4u == 1u), select(words.z, words.w, b % 4u == 3u), b % 4u >= 2u);
  let first = P.low + philox_product(word, P.places).y;
  if (t == 0u) { starts[P.starts + b] = i32(first); }
  x[P.x + b * P.T + t] = tokens[P.tokens + first + t];
  y[P.y + b * P.T + t] = tokens[P.tokens + first + t + 1u];
}
