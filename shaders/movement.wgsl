// Kernels that place numbers without computing on them: fill, arange, tril, copy (strided, casting,
// transposing).
//
// In: x, or parameters alone. Out: `out`, at any strides where it is a copy. Numbers of 4 bytes are
// read and written as u32. `convert` is the cast of a copy: between float32 and int32, for words
// and vectors of four. Dispatch: elements / (W * U * V), or tiles of 32 x 32.
#if cast == "f32 to i32"
// Toward zero; what does not fit saturates and NaN is 0.
fn convert(v: ${T}) -> ${T} {
  let x = bitcast<${F}>(v);
#if flag
  // Of an int64, which is held in 32 bits.
  if (abs(x) >= 2147483648.0 && x != -2147483648.0) { atomicMax(&flag[P.flag], ${kernel_id + 1 + (1 << 16)}u); }
#end
  let whole = bitcast<${T}>(${I}(clamp(x, ${F}(-2147483648.0), ${F}(2147483520.0))));
  let bounded = select(whole, ${T}(0x7fffffffu), x > ${F}(2147483520.0));
  return select(bounded, ${T}(0u), (v & ${T}(0x7fffffffu)) > ${T}(0x7f800000u));
}
#elif cast == "i32 to f32"
fn convert(v: ${T}) -> ${T} { return bitcast<${T}>(${F}(bitcast<${I}>(v))); }
#elif cast
fn convert(v: ${T}) -> ${T} { return v; }
#end

//! shader fill
//! buffers out:w:${T}
//! params n:u32 value:u32
#include flat
fn value(i: u32) -> ${T} { return ${T}(P.value); }

//! shader arange
// start + i * step as float64 has it, in integers: numbers of 32 whole and 64 fractional bits
// (words from the lowest to the highest) in units of P.scale, the product and the sum each rounded
// to 53 significant bits.
//! buffers out:w:${T}
//! params n:u32 first:u32 start0:u32 start1:u32 start2:u32 step0:u32 step1:u32 step2:u32 scale:f32
#include flat
#include math
fn add(a: vec3u, b: vec3u) -> vec3u {
  let x = a.x + b.x;
  let y = a.y + b.y;
  let carry = u32(x < a.x);
  return vec3u(x, y + carry, a.z + b.z + u32(y < a.y) + u32(y + carry < carry));
}
fn negate(a: vec3u) -> vec3u { return add(~a, vec3u(1u, 0u, 0u)); }

// To the nearest of 53 significant bits, on a tie to the even one.
fn round_to_double(a: vec3u) -> vec3u {
  let zeros = select(select(64u + countLeadingZeros(a.x), 32u + countLeadingZeros(a.y), a.y != 0u),
                     countLeadingZeros(a.z), a.z != 0u);
  if (zeros >= 43u) { return a; }
  let drop = 43u - zeros;
  let high = drop - min(drop, 32u);  // bits of the middle word that go
  let odd = select(a.x >> (drop & 31u), a.y >> high, drop >= 32u) & 1u;
  let half = select(vec3u(1u << ((drop - 1u) & 31u), 0u, 0u), vec3u(0u, 1u << ((drop - 1u) & 31u), 0u), drop > 32u);
  let up = add(add(a, half), select(vec3u(0xffffffffu), vec3u(0u), odd == 1u));
  return up & vec3u(select(0xffffffffu << (drop & 31u), 0u, drop >= 32u), 0xffffffffu << high, 0xffffffffu);
}

fn element(i: u32) -> u32 {
  let size = vec3u(P.step0, P.step1, P.step2);
  var v = add(i * size, vec3u(0u, m_multiply_high(i, size.x), m_multiply_high(i, size.y)));
  v = round_to_double(v);
#if down
  v = negate(v);
#end
  v = add(v, vec3u(P.start0, P.start1, P.start2));
  let negative = v.z >> 31u == 1u;
  if (negative) { v = negate(v); }
  v = round_to_double(v);
#if dtype == "i32"
  return select(v.z, ~v.z + 1u, negative);
#else
  var exponent = 0;
  if (v.z == 0u) {
    v = vec3u(0u, v.x, v.y);
    exponent = -32;
    if (v.z == 0u) {
      v = vec3u(0u, 0u, v.y);
      exponent = -64;
    }
  }
  // 32 leading bits, the lowest of them set where more follow, round as the whole number would.
  let zeros = countLeadingZeros(v.z) & 31u;
  let rest = select(0u, v.y >> ((32u - zeros) & 31u), zeros > 0u);
  let bits = (v.z << zeros) | rest | u32(((v.y << zeros) | v.x) != 0u);
  let x = m_scale(f32(bits), exponent - i32(zeros)) * P.scale;
  return bitcast<u32>(select(x, -x, negative));
#end
}

fn value(i: u32) -> ${T} {
#if V == 4
  let j = P.first + 4u * i;
  return vec4u(element(j), element(j + 1u), element(j + 2u), element(j + 3u));
#else
  return element(P.first + i);
#end
}

//! shader tril
//! buffers out:w:u32 x:r:u32
//! params n:u32 first:u32 M:u32 N:u32 diagonal:i32
#include flat
fn value(i: u32) -> u32 {
  let row = (P.first + i) / P.N;
  let across = i32(P.first + i - row * P.N) - i32(row % P.M);
  return select(0u, x[P.x + i], across ${">=" if upper else "<="} P.diagonal);
}

//! shader copy
// Dense to dense.
//! buffers out:w:${T} x:r:${T} flag?:w:atomic<u32>
//! params n:u32
#include flat
fn value(i: u32) -> ${T} { return convert(x[P.x + i]); }

//! shader copy_strided
// One element (or vector of four, then sizes and strides count vectors) an invocation, in the order
// of the output.
//! buffers out:w:${T} x:r:${T} flag?:w:atomic<u32>
//! params n:u32 ${" ".join("n%d:u32 o%d:u32 x%d:u32" % (d, d, d) for d in range(rank))}
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let first = group_index(wid, nwg) * ${W * U}u + lid;
#for u in range(U)
  var to${u} = P.out;
  var from${u} = P.x;
  {
    var rest = min(first + ${W * u}u, P.n - 1u);
#for d in range(rank - 1, 0, -1)
    to${u} += rest % P.n${d} * P.o${d};
    from${u} += rest % P.n${d} * P.x${d};
    rest /= P.n${d};
#end
    to${u} += rest * P.o0;
    from${u} += rest * P.x0;
  }
  let v${u} = convert(x[from${u}]);
#end
#for u in range(U)
  if (first + ${W * u}u < P.n) { out[to${u}] = v${u}; }
#end
}

//! shader copy_transposed
// Tiles of 32 x 32 through workgroup memory: dimension r is contiguous in the output, dimension q
// in the input, so both are walked along their rows. The other dimensions (n2..n5) are walked by
// the workgroups.
//! buffers out:w:u32 x:r:u32 flag?:w:atomic<u32>
//! params groups:u32 R:u32 Q:u32 o_q:u32 x_r:u32 tiles_r:u32 tiles_q:u32
//! params ${" ".join("n%d:u32 o%d:u32 x%d:u32" % (d, d, d) for d in range(rank))}
var<workgroup> tile: array<u32, ${32 * 33}>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  if (group >= P.groups) { return; }
  let r0 = group % P.tiles_r * 32u;
  var rest = group / P.tiles_r;
  let q0 = rest % P.tiles_q * 32u;
  rest /= P.tiles_q;
  var to = P.out;
  var from_ = P.x;
#for d in range(rank - 1, -1, -1)
  to += rest % P.n${d} * P.o${d};
  from_ += rest % P.n${d} * P.x${d};
  rest /= P.n${d};
#end
  let column = lid % 32u;
  let row = lid / 32u;
#for u in range(4)
  {
    let r = row + ${8 * u}u;
    if (r0 + r < P.R && q0 + column < P.Q) { tile[r * 33u + column] = x[from_ + (r0 + r) * P.x_r + q0 + column]; }
  }
#end
  workgroupBarrier();
#for u in range(4)
  {
    let q = row + ${8 * u}u;
    if (q0 + q < P.Q && r0 + column < P.R) {
      out[to + (q0 + q) * P.o_q + r0 + column] = convert(tile[column * 33u + q]);
    }
  }
#end
}

//! shader copy_bytes
// A copy from or to int8. A word holds four bytes, and P.out or P.x counts bytes there. `to`:
//   words    float32 or int32: an invocation an element
//   dense    int8 without gaps: an invocation writes a word, and keeps its bytes outside of out
//   gaps     int8, whose neighbours in a word may belong to others
//! buffers out:w:${"u32" if to == "words" else "i8" if to == "dense" else "atomic<i8>"}
//! buffers x:r:${"i8" if source == "i8" else "u32"}
//! params n:u32 ${" ".join("n%d:u32 o%d:u32 x%d:u32" % (d, d, d) for d in range(rank))}
#if source == "f32"
fn load(at: u32) -> f32 { return bitcast<f32>(x[at]); }
#elif source == "i32"
fn load(at: u32) -> i32 { return bitcast<i32>(x[at]); }
#else
fn load(at: u32) -> i32 { return extractBits(bitcast<i32>(x[at / 4u]), at % 4u * 8u, 8u); }
#end

// The place of element i in the output's order: (in out, in x).
fn place(i: u32) -> vec2u {
  var rest = i;
  var at = vec2u(P.out, P.x);
#for d in range(rank - 1, 0, -1)
  at += rest % P.n${d} * vec2u(P.o${d}, P.x${d});
  rest /= P.n${d};
#end
  return at + rest * vec2u(P.o0, P.x0);
}

#if to != "words"
// The low eight bits; from float32 toward zero, what does not fit saturates and NaN is 0.
fn byte(at: u32) -> u32 {
#if source == "f32"
  let v = load(at);
  return select(u32(i32(clamp(v, -128.0, 127.0))) & 0xffu, 0u, is_nan(v));
#else
  return bitcast<u32>(load(at)) & 0xffu;
#end
}
#end

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * ${W}u + lid;
#if to == "dense"
  let word = P.out / 4u + i;
  var v = 0u;
  var mine = 0u;
#for k in range(4)
  {
    let j = 4u * word + ${k}u - P.out;  // below zero: a large number
    if (j < P.n) {
      v |= byte(place(j).y) << ${8 * k}u;
      mine |= ${hex(255 << 8 * k)}u;
    }
  }
#end
  if (mine == 0xffffffffu) {
    out[word] = v;
  } else if (mine != 0u) {
    out[word] = (out[word] & ~mine) | v;
  }
#else
  if (i >= P.n) { return; }
  let at = place(i);
#if to == "words"
  out[at.x] = bitcast<u32>(${target}(load(at.y)));
#else
  let shift = at.x % 4u * 8u;
  atomicAnd(&out[at.x / 4u], ~(0xffu << shift));
  atomicOr(&out[at.x / 4u], byte(at.y) << shift);
#end
#end
}
