// Counter-based random numbers, Philox 4x32-10 (Salmon et al. 2011), for `#include philox`: block j
// of a stream is a function of (seed, base + offset + j) alone, so that devices agree on every
// word. The streams and the use of the words are in the contract (kernels.py).

// (low, high) word of a * b, from products of 16-bit halves.
fn philox_product(a: u32, b: u32) -> vec2u {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let low = al * bl;
  let middle = ah * bl + (low >> 16u);  // at most 2^32 - 2^17 + 1 + 2^16 - 2: no carry
  let carry = al * bh + (middle & 0xffffu);
  return vec2u(a * b, ah * bh + (middle >> 16u) + (carry >> 16u));
}

// a + b of 64 bits each, words (low, high).
fn philox_add(a: vec2u, b: vec2u) -> vec2u {
  let low = a.x + b.x;
  return vec2u(low, a.y + b.y + select(0u, 1u, low < a.x));
}

// The four words for a counter (its words 2 and 3 are zero) and a key.
fn philox(counter: vec2u, key: vec2u) -> vec4u {
  var c = vec4u(counter, 0u, 0u);
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    let left = philox_product(0xD2511F53u, c.x);
    let right = philox_product(0xCD9E8D57u, c.z);
    c = vec4u(right.y ^ c.y ^ k.x, right.x, left.y ^ c.w ^ k.y, left.x);
    k += vec2u(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

// Block j of a launch: rng is seed low, seed high, base low, base high.
fn philox_block(rng_words: vec4u, offset: vec2u, j: u32) -> vec4u {
  return philox(philox_add(philox_add(rng_words.zw, offset), vec2u(j, 0u)), rng_words.xy);
}

// Uniform in [0, 1): the upper 24 bits.
fn philox_uniform(words: vec4u) -> vec4f { return vec4f(words >> vec4u(8u)) * 5.9604644775390625e-8; }
