// Reductions of x, seen as [outer, n, inner], over n: sum and mean, prod, max and min, argmax and
// argmin.
//
// Out: [outer, inner], or a partial result for each split of n. Dispatch: rows or blocks of
// columns, times splits. `kind` says what an invocation accumulates (AccS: S components where it
// reads vectors of S; E is the dtype):
//   sum, prod  numbers
//   extreme  int32 keys in the order of the values, of which the largest is sought: min goes by the
//            reversed order. A NaN has the largest key, so it wins in both, as in PyTorch; -0 has
//            that of 0
//   index    such a key with its place in n; of equal keys the first wins
// Where n is cut into splits the kernel runs again over their results; of indices these are the
// second run's `candidates`. The order of additions depends on the sizes alone.
#for S, word, whole, real in ((1, "u32", "i32", "f32"), (4, "vec4<u32>", "vec4<i32>", "vec4<f32>"))
#if kind in ("sum", "prod")
alias Acc${S} = ${real if E == "f32" else whole};
fn start${S}() -> Acc${S} { return Acc${S}(${int(kind == "prod")}); }
fn take${S}(bits: ${word}, i: u32) -> Acc${S} { return bitcast<Acc${S}>(bits); }
fn join${S}(a: Acc${S}, b: Acc${S}) -> Acc${S} {
  let total = a ${"*" if kind == "prod" else "+"} b;
#if flag and kind == "prod"
  // Of int64, which is held in 32 bits: a product that wraps is off by 2^32.
  let beyond = abs(${real}(a) * ${real}(b) - ${real}(total)) > ${real}(1e9);
#elif flag
  let beyond = ((a ^ total) & (b ^ total)) < Acc${S}(0);
#end
#if flag
  if (any(beyond)) { atomicMax(&flag[P.flag], ${kernel_id + 1 + (1 << 16)}u); }
#end
  return total;
}
fn finish${S}(a: Acc${S}) -> ${word} { return bitcast<${word}>(a${" * P.scale" if E == "f32" else ""}); }
#else
fn key${S}(bits: ${word}) -> ${whole} {
#if E == "f32"
  let magnitude = bits & ${word}(0x7fffffffu);
  let up = bitcast<${whole}>(magnitude);
  let k = select(up, -up, bits != magnitude);
  return select(${"k" if largest else "-k"}, ${whole}(0x7fffffff), magnitude > ${word}(0x7f800000u));
#else
  return bitcast<${whole}>(${"bits" if largest else "~bits"});
#end
}
#if kind == "extreme"
alias Acc${S} = ${whole};
fn start${S}() -> Acc${S} { return Acc${S}(-2147483647 - 1); }
fn take${S}(bits: ${word}, i: u32) -> Acc${S} { return key${S}(bits); }
fn join${S}(a: Acc${S}, b: Acc${S}) -> Acc${S} { return max(a, b); }
fn finish${S}(a: Acc${S}) -> ${word} {
#if E == "f32"
  let k = ${"a" if largest else "-a"};
  let bits = bitcast<${word}>(abs(k)) | (bitcast<${word}>(k) & ${word}(0x80000000u));
  return select(bits, ${word}(0x7fc00000u), a == ${whole}(0x7fffffff));
#else
  return bitcast<${word}>(${"a" if largest else "~a"});
#end
}
#elif S == 1
struct Acc1 { key: i32, at: u32 }
fn start1() -> Acc1 { return Acc1(-2147483647 - 1, 0xffffffffu); }
fn take1(bits: u32, i: u32) -> Acc1 { return Acc1(key1(bits), i); }
fn join1(a: Acc1, b: Acc1) -> Acc1 {
  if (b.key > a.key || (b.key == a.key && b.at < a.at)) { return b; }
  return a;
}
fn finish1(a: Acc1) -> u32 { return a.at; }
#end
#end
#end

//! shader rows
// inner = 1. L invocations take a split of a row: chunk numbers, in vectors of V. out: [outer,
// splits]. candidates: [outer, n], their indices count from the beginning of rows of `stride`
// numbers.
//! buffers out:w:u32 x:r:${"vec4<u32>" if V == 4 else "u32"} candidates?:r:u32 flag?:w:atomic<u32>
//! params units:u32 n:u32 splits:u32 chunk:u32 stride:u32 scale:f32
var<workgroup> shared_acc: array<Acc1, ${W}>;

fn at(row: u32, i: u32) -> Acc${V} {
#if candidates
  let index = candidates[P.candidates + row * P.n + i];
  return take1(x[P.x + row * P.stride + index], index);
#else
  return take${V}(x[P.x + row * P.stride + i], i);
#end
}

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let unit = group_index(wid, nwg) * ${W // L}u + lid / ${L}u;
  let lane = lid % ${L}u;
  let row = unit / P.splits;
  let first = unit % P.splits * P.chunk;
  let end = select(0u, min(P.n, first + P.chunk), unit < P.units);
  var a0 = start${V}();
  var i = first + lane;
#if V * L > 4
  // Four loads under way at a time.
  var a1 = a0;
  var a2 = a0;
  var a3 = a0;
  for (; i + ${3 * L}u < end; i += ${4 * L}u) {
    let b0 = at(row, i);
    let b1 = at(row, i + ${L}u);
    let b2 = at(row, i + ${2 * L}u);
    let b3 = at(row, i + ${3 * L}u);
    a0 = join${V}(a0, b0);
    a1 = join${V}(a1, b1);
    a2 = join${V}(a2, b2);
    a3 = join${V}(a3, b3);
  }
  a0 = join${V}(join${V}(a0, a1), join${V}(a2, a3));
#end
  for (; i < end; i += ${L}u) { a0 = join${V}(a0, at(row, i)); }
#if V == 4
  var a = join1(join1(a0.x, a0.y), join1(a0.z, a0.w));
#else
  var a = a0;
#end
#if L > 1
  shared_acc[lid] = a;
  workgroupBarrier();
  for (var step = ${L // 2}u; step > 0u; step /= 2u) {
    if (lane < step) {
      a = join1(a, shared_acc[lid + step]);
      shared_acc[lid] = a;
    }
    workgroupBarrier();
  }
#end
  if (lane == 0u && unit < P.units) { out[P.out + unit] = finish1(a); }
}

//! shader columns
// inner > 1, counted in vectors of V. A workgroup takes a split (chunk of the n rows) of C
// neighbouring columns, ${W // C} rows at a time. out: [splits, outer, inner]. candidates: [n,
// outer, inner], indices of rows of x: [outer, stride, inner].
//! buffers out:w:${"vec4<u32>" if V == 4 else "u32"} x:r:${"vec4<u32>" if V == 4 else "u32"} candidates?:r:u32 flag?:w:atomic<u32>
//! params groups:u32 outer:u32 n:u32 inner:u32 splits:u32 chunk:u32 stride:u32 scale:f32
var<workgroup> shared_acc: array<Acc${V}, ${W}>;

fn at(o: u32, i: u32, column: u32) -> Acc${V} {
#if candidates
  let index = candidates[P.candidates + (i * P.outer + o) * P.inner + column];
  return take1(x[P.x + (o * P.stride + index) * P.inner + column], index);
#else
  return take${V}(x[P.x + (o * P.stride + i) * P.inner + column], i);
#end
}

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  if (group >= P.groups) { return; }
  let blocks = (P.inner + ${C - 1}u) / ${C}u;
  let column = group % blocks * ${C}u + lid % ${C}u;
  let split = group / blocks % P.splits;
  let o = group / blocks / P.splits;
  let first = split * P.chunk;
  let end = select(0u, min(P.n, first + P.chunk), column < P.inner);
  var a0 = start${V}();
  var a1 = a0;
  var a2 = a0;
  var a3 = a0;
  var i = first + lid / ${C}u;
  for (; i + ${3 * W // C}u < end; i += ${4 * W // C}u) {
    let b0 = at(o, i, column);
    let b1 = at(o, i + ${W // C}u, column);
    let b2 = at(o, i + ${2 * W // C}u, column);
    let b3 = at(o, i + ${3 * W // C}u, column);
    a0 = join${V}(a0, b0);
    a1 = join${V}(a1, b1);
    a2 = join${V}(a2, b2);
    a3 = join${V}(a3, b3);
  }
  for (; i < end; i += ${W // C}u) { a0 = join${V}(a0, at(o, i, column)); }
  var a = join${V}(join${V}(a0, a1), join${V}(a2, a3));
#if C < W
  shared_acc[lid] = a;
  workgroupBarrier();
  for (var step = ${W // 2}u; step >= ${C}u; step /= 2u) {
    if (lid < step) {
      a = join${V}(a, shared_acc[lid + step]);
      shared_acc[lid] = a;
    }
    workgroupBarrier();
  }
#end
  if (lid < ${C}u && column < P.inner) { out[P.out + (split * P.outer + o) * P.inner + column] = finish${V}(a); }
}
