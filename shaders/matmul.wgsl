// Matrix products: out = epilogue(alpha * op(A) op(B) + beta * out). Sections, from the general to the special:
//   tile    register tiles of BM x BN outputs, any shape, transpose, stride and offset
//   matrix  the same on the matrix units, 16-bit operands, 32-bit sums
//   dots    few rows or few columns, the long operand contiguous along K: a workgroup for each output row (decoding)
//   sweep   few rows or few columns, the long operand contiguous along its rows: invocations side by side along them
// The plan (kernels/matmul.py) chooses; tuning.py has the table of tiles.

//! shader tile
// A workgroup is KS slices of GT invocations. Each slice has tiles of its own in workgroup memory and takes every KS-th step of 16 along K;
// at the end the slices are added up in order. An invocation owns TM x TN outputs: rows ty*4..+3 of each of TM/4 bands of the tile, columns
// tx*4..+3 of each of TN/4 bands, so that neighbours read neighbouring vectors. While a step is multiplied, the next one's elements are
// on their way into registers: blocks of 4 x 4, turned there where K is the contiguous dimension. A tile's row k has the BM values of A, then
// the BN values of B; columns are permuted by `swizzle` so that writing a turned block meets no bank twice.
// With splits > 1 the workgroups of split s sum a part of K only and write partial result s (a slab of M x N).
//! buffers out:w:${C} a?:r:${A} b?:r:${B} bias?:r:${C} residual?:r:${C} pre?:${'w' if gelu else 'r'}:${C} sums?:w:${C} loss_scale?:r:f32
//! params M:u32 N:u32 lda:u32 ldb:u32 ldc:u32 sa:u32 sb:u32 sc:u32 K:u32 depth:u32 splits:u32 across:u32 down:u32 total:u32 alpha:f32 beta:f32
#if gelu or gelu_backward
#include math
#end
alias Staged = vec4<${'f16' if half else 'f32'}>;
var<workgroup> tile: array<array<array<array<Staged, ${(BM + BN) // 4}>, 4>, 4>, ${KS}>;  // [slice][k / 4][k % 4][column / 4]

#if room
// ${room} vectors for each invocation, between the last step and the end: in the tiles where they are wide enough.
#if half
var<workgroup> rest: array<vec4f, ${room * GT}>;
fn keep(slot: u32, t: u32, v: vec4f) { rest[slot * ${GT}u + t] = v; }
fn kept(slot: u32, t: u32) -> vec4f { return rest[slot * ${GT}u + t]; }
#else
fn keep(slot: u32, t: u32, v: vec4f) {
  let i = slot * ${GT}u + t;
  let row = i / ${(BM + BN) // 4}u;
  tile[row / 16u][(row / 4u) % 4u][row % 4u][i % ${(BM + BN) // 4}u] = v;
}
fn kept(slot: u32, t: u32) -> vec4f {
  let i = slot * ${GT}u + t;
  let row = i / ${(BM + BN) // 4}u;
  return tile[row / 16u][(row / 4u) % 4u][row % 4u][i % ${(BM + BN) // 4}u];
}
#end
#end

#include epilogue

@compute @workgroup_size(${GT * KS})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  if (group >= P.total) { return; }
  let n_first = (group % P.across) * ${BN}u;
  let m_first = ((group / P.across) % P.down) * ${BM}u;
  let slab = group / (P.across * P.down);
#if KS > 1
  let slice = lid / ${GT}u;
  let t = lid % ${GT}u;
#else
  let slice = 0u;
  let t = lid;
#end
  let tx = t % ${BN // TN}u;
  let ty = t / ${BN // TN}u;
#if loss_scale
  let scale = loss_scale[P.loss_scale];
#end
#for r in range(TM)
#for j in range(TN // 4)
  var c${r}_${j} = vec4f();
#end
#end
#if a
  let z = slab / P.splits;
  let k_begin = (slab % P.splits) * P.depth;
  let k_end = min(P.K, k_begin + P.depth);
  let steps = (k_end - k_begin + ${16 * KS - 1}u) / ${16 * KS}u;

  // Where this invocation's blocks of 4 x 4 begin: s the block, o<s>_<c> its rows (or columns), k<s> and x<s> its place in the tile.
#for (s, parts) in SLOTS
  var o${s}_0 = 0u;
  var o${s}_1 = 0u;
  var o${s}_2 = 0u;
  var o${s}_3 = 0u;
  var k${s} = 0u;
  var x${s} = 0u;
  var f${s}_0 = vec4f();
  var f${s}_1 = vec4f();
  var f${s}_2 = vec4f();
  var f${s}_3 = vec4f();
#if sums
  var total${s} = vec4f();
#end
#for (head, x, along, wide, rows, first, skip, size, column, swizzle) in parts
  ${head}
    let q = t + ${s * GT}u - ${skip}u;
#if along
    k${s} = q % 4u;
    let row = (q / 4u) * 4u;
#else
    k${s} = q / ${size // 4}u;
    let row = (q % ${size // 4}u) * 4u;
#end
    x${s} = ${column}u + ((row / 4u) ^ (k${s} * ${swizzle}u));
#if wide
    let base = P.${x} + z * (P.s${x} / 4u);
    let ld = P.ld${x} / 4u;
#for c in range(4)
#if along
    o${s}_${c} = base + min(${first} + row + ${c}u, P.${rows} - 1u) * ld + k${s};
#else
    o${s}_${c} = base + min(${first} + row, P.${rows} - 4u) / 4u + (k${s} * 4u + ${c}u) * ld;
#end
#end
#else
    let base = P.${x} + z * P.s${x};
#for c in range(4)
#if along
    o${s}_${c} = base + min(${first} + row + ${c}u, P.${rows} - 1u) * P.ld${x} + k${s} * 4u;
#else
    o${s}_${c} = base + min(${first} + row + ${c}u, P.${rows} - 1u) + k${s} * 4u * P.ld${x};
#end
#end
#end
  }
#end
#end

  var k = k_begin + slice * 16u;
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
#for (s, parts) in SLOTS
#for (head, x, along, wide, rows, first, skip, size, column, swizzle) in parts
      ${head}
#if wide and along
        let ahead = k / 4u;
#elif wide
        let ahead = k * (P.ld${x} / 4u);
#elif along
        let ahead = k;
#else
        let ahead = k * P.ld${x};
#end
#if tail
        let left = k + k${s} * 4u;  // elements of this block from k_end on are zero
#end
#for c in range(4)
#if wide
#if tail
        f${s}_${c} = select(vec4f(), ${x}[o${s}_${c} + ahead], left ${'' if along else '+ ' + str(c) + 'u'} < k_end);
#else
        f${s}_${c} = ${x}[o${s}_${c} + ahead];
#end
#elif along
        f${s}_${c} = vec4f(${x}[o${s}_${c} + ahead], ${x}[o${s}_${c} + ahead + 1u], ${x}[o${s}_${c} + ahead + 2u], ${x}[o${s}_${c} + ahead + 3u]);
#if tail
        f${s}_${c} = select(vec4f(), f${s}_${c}, vec4u(left, left + 1u, left + 2u, left + 3u) < vec4u(k_end));
#end
#else
        {
          let at = ahead + ${c}u * P.ld${x};
          f${s}_${c} = vec4f(${x}[o${s}_0 + at], ${x}[o${s}_1 + at], ${x}[o${s}_2 + at], ${x}[o${s}_3 + at]);
#if tail
          f${s}_${c} = select(vec4f(), f${s}_${c}, left + ${c}u < k_end);
#end
        }
#end
#end
      }
#end
#end
    }
    if (step > 0u) {
      for (var kb = 0u; kb < 4u; kb++) {
#for i in range(TM // 4)
        let xa${i} = (${i * (BM // TM)}u + ty) ^ (kb * ${swizzle_a}u);
#end
#for j in range(TN // 4)
        let xb${j} = ${BM // 4}u + ((${j * (BN // TN)}u + tx) ^ (kb * ${swizzle_b}u));
#end
#for c in range(4)
#for i in range(TM // 4)
        let a${c}_${i} = vec4f(tile[slice][kb][${c}][xa${i}]);
#end
#for j in range(TN // 4)
        let b${c}_${j} = vec4f(tile[slice][kb][${c}][xb${j}]);
#end
#for i in range(TM // 4)
#for r in range(4)
#for j in range(TN // 4)
        c${4 * i + r}_${j} = fma(vec4f(a${c}_${i}.${'xyzw'[r]}), b${c}_${j}, c${4 * i + r}_${j});
#end
#end
#end
#end
      }
    }
    workgroupBarrier();
    if (step < steps) {
#for (s, parts) in SLOTS
#for (head, x, along, wide, rows, first, skip, size, column, swizzle) in parts
      ${head}
#for e in range(4)
#if along
        let w${e} = vec4f(f${s}_0.${'xyzw'[e]}, f${s}_1.${'xyzw'[e]}, f${s}_2.${'xyzw'[e]}, f${s}_3.${'xyzw'[e]});
#else
        let w${e} = f${s}_${e};
#end
        tile[slice][k${s}][${e}][x${s}] = Staged(w${e}${' * scale' if loss_scale and x == 'a' else ''});
#end
#if sums and x == 'a'
        total${s} += (w0 + w1) + (w2 + w3);
#end
      }
#end
#end
      k += ${16 * KS}u;
    }
    workgroupBarrier();
  }
#end

#if sums
  // The blocks of A that a slice's invocations hold, block q in slot q: rows q / 4 or q % (BM / 4) in vectors, as they were loaded.
#for (s, parts) in SLOTS
#for (head, x, along, wide, rows, first, skip, size, column, swizzle) in parts
#if x == 'a'
  ${head}
    keep(slice * ${-(-BM // GT)}u + ${s}u, t, total${s});
  }
#end
#end
#end
  workgroupBarrier();
  if (n_first == 0u && lid < ${BM // 4}u) {
    var total = vec4f();
    for (var i = 0u; i < ${4 * KS}u; i++) {
      let q = ${'lid * 4u + i % 4u' if along_a else '(i % 4u) * ' + str(BM // 4) + 'u + lid'};
      total += kept((i / 4u) * ${-(-BM // GT)}u + q / ${GT}u, q % ${GT}u);
    }
    write_sums(slab, m_first + lid * 4u, total);
  }
  workgroupBarrier();
#end

#if KS > 1
#for entries in ROUNDS
#for (s, u0, u1, slot) in entries
  if (slice == ${s}u) {
#for u in range(u0, u1)
    keep(${slot + u - u0}u, t, c${u // (TN // 4)}_${u % (TN // 4)});
#end
  }
#end
  workgroupBarrier();
  if (slice == 0u) {
#for (s, u0, u1, slot) in entries
#for u in range(u0, u1)
    c${u // (TN // 4)}_${u % (TN // 4)} += kept(${slot + u - u0}u, t);
#end
#end
  }
  workgroupBarrier();
#end
  if (slice > 0u) { return; }
#end

#if gelu or gelu_backward
  // A loop over the outputs, through each invocation's own slots: the error function 4 times four, not once for every output.
#for u0 in range(0, TM * TN // 4, room)
#for u in range(u0, min(u0 + room, TM * TN // 4))
  keep(${u - u0}u, t, c${u // (TN // 4)}_${u % (TN // 4)});
#end
  for (var u = ${u0}u; u < ${min(u0 + room, TM * TN // 4)}u; u += 4u) {
#for v in range(4)
    let r${v} = (u + ${v}u) / ${TN // 4}u;
    let j${v} = (u + ${v}u) % ${TN // 4}u;
    let m${v} = m_first + (r${v} / 4u) * ${4 * (BM // TM)}u + ty * 4u + r${v} % 4u;
    let n${v} = n_first + j${v} * ${4 * (BN // TN)}u + tx * 4u;
    let e${v} = extra(slab, m${v}, n${v});
#end
#for v in range(4)
    finish(slab, m${v}, n${v}, kept(u + ${v}u - ${u0}u, t), e${v});
#end
  }
#end
#else
#for r0 in range(0, TM, 4)
  {
#for r in range(r0, r0 + 4)
#for j in range(TN // 4)
    let m${r}_${j} = m_first + ${(r // 4) * 4 * (BM // TM) + r % 4}u + ty * 4u;
    let n${r}_${j} = n_first + ${4 * j * (BN // TN)}u + tx * 4u;
    let e${r}_${j} = extra(slab, m${r}_${j}, n${r}_${j});
#end
#end
#for r in range(r0, r0 + 4)
#for j in range(TN // 4)
    finish(slab, m${r}_${j}, n${r}_${j}, c${r}_${j}, e${r}_${j});
#end
#end
  }
#end
#end
}

//! shader matrix
// W invocations in groups of 32 (the plan asks for devices where that is the size of their groups). Group g owns SM x SN outputs of the tile
// as 16 x 16 matrices. Operands are rounded to 16 bits on their way into workgroup memory and stay in the order they have in memory, rows
// padded by 8; the matrix units read them row by row or column by column. Results go through workgroup memory, one 16 x 16 matrix of each
// group at a time. Offsets and strides of the matrix loads count vectors of four.
//! buffers out:w:${C} a:r:${A} b:r:${B} bias?:r:${C} residual?:r:${C} pre?:${'w' if gelu else 'r'}:${C} sums?:w:${C} loss_scale?:r:f32
//! params M:u32 N:u32 lda:u32 ldb:u32 ldc:u32 sa:u32 sb:u32 sc:u32 K:u32 depth:u32 splits:u32 across:u32 down:u32 total:u32 alpha:f32 beta:f32
#if gelu or gelu_backward
#include math
#end
#include epilogue
var<workgroup> tile_a: array<vec4<f16>, ${((BM if along_a else BK) + 1) * LA}>;
var<workgroup> tile_b: array<vec4<f16>, ${((BN if along_b else BK) + 1) * LB}>;
var<workgroup> rest: array<vec4f, ${2 * W}>;

@diagnostic(off, chromium.subgroup_matrix_uniformity)
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  if (group >= P.total) { return; }
  let n_first = (group % P.across) * ${BN}u;
  let m_first = ((group / P.across) % P.down) * ${BM}u;
  let slab = group / (P.across * P.down);
  let g = lid / 32u;
  let gm = (g / ${BN // SN}u) * ${SM}u;
  let gn = (g % ${BN // SN}u) * ${SN}u;
#if loss_scale
  let scale = loss_scale[P.loss_scale];
#end
#if sums
  var total = vec4f();
#end
#for i in range(SM // 16)
#for j in range(SN // 16)
  var c${i}_${j} = subgroup_matrix_result<f32, 16, 16>();
#end
#end
  let z = slab / P.splits;
  let k_begin = (slab % P.splits) * P.depth;
  let k_end = min(P.K, k_begin + P.depth);
  let steps = (k_end - k_begin + ${BK - 1}u) / ${BK}u;

  // Vector s of this invocation: o<x><s> where it begins in memory, t<x><s> its place in the tile, k<x><s> its K within the step.
#for (x, along, wide, rows, first, size, L, slots) in OPERANDS
#for s in range(slots)
  let q${x}${s} = lid + ${s * W}u;
#if along
  let k${x}${s} = (q${x}${s} % ${BK // 4}u) * 4u;
  let r${x}${s} = q${x}${s} / ${BK // 4}u;
  let t${x}${s} = r${x}${s} * ${L}u + k${x}${s} / 4u;
#if wide
  let o${x}${s} = P.${x} + (z * P.s${x} + min(${first} + r${x}${s}, P.${rows} - 1u) * P.ld${x} + k${x}${s}) / 4u;
#else
  let o${x}${s} = P.${x} + z * P.s${x} + min(${first} + r${x}${s}, P.${rows} - 1u) * P.ld${x} + k${x}${s};
#end
#else
  let k${x}${s} = q${x}${s} / ${size // 4}u;
  let r${x}${s} = (q${x}${s} % ${size // 4}u) * 4u;
  let t${x}${s} = k${x}${s} * ${L}u + r${x}${s} / 4u;
#if wide
  let o${x}${s} = P.${x} + (z * P.s${x} + min(${first} + r${x}${s}, P.${rows} - 4u) + k${x}${s} * P.ld${x}) / 4u;
#else
  let o${x}${s} = P.${x} + z * P.s${x} + k${x}${s} * P.ld${x};
  let last${x}${s} = P.${rows} - 1u;
#end
#end
  var f${x}${s} = vec4f();
#end
#end

  var k = k_begin;
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
#for (x, along, wide, rows, first, size, L, slots) in OPERANDS
#if wide and along
      let ahead_${x} = k / 4u;
#elif wide
      let ahead_${x} = k * (P.ld${x} / 4u);
#elif along
      let ahead_${x} = k;
#else
      let ahead_${x} = k * P.ld${x};
#end
#for s in range(slots)
#if wide
      f${x}${s} = ${x}[o${x}${s} + ahead_${x}];
#if tail
      f${x}${s} = select(vec4f(), f${x}${s}, k + k${x}${s} < k_end);
#end
#else
      {
        let at = o${x}${s} + ahead_${x};
#if along
        f${x}${s} = vec4f(${x}[at], ${x}[at + 1u], ${x}[at + 2u], ${x}[at + 3u]);
#if tail
        let left = k + k${x}${s};
        f${x}${s} = select(vec4f(), f${x}${s}, vec4u(left, left + 1u, left + 2u, left + 3u) < vec4u(k_end));
#end
#else
        let r = ${first} + r${x}${s};
        f${x}${s} = vec4f(${x}[at + min(r, last${x}${s})], ${x}[at + min(r + 1u, last${x}${s})], ${x}[at + min(r + 2u, last${x}${s})], ${x}[at + min(r + 3u, last${x}${s})]);
#if tail
        f${x}${s} = select(vec4f(), f${x}${s}, k + k${x}${s} < k_end);
#end
#end
      }
#end
#end
#end
    }
    if (step > 0u) {
#for kk in range(BK // 16)
#for i in range(SM // 16)
#if along_a
      let a${kk}_${i} = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&tile_a, (gm + ${16 * i}u) * ${LA}u + ${4 * kk}u, ${LA}u);
#else
      let a${kk}_${i} = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, col_major>(&tile_a, gm / 4u + ${16 * kk * LA + 4 * i}u, ${LA}u);
#end
#end
#for j in range(SN // 16)
#if along_b
      let b${kk}_${j} = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&tile_b, (gn + ${16 * j}u) * ${LB}u + ${4 * kk}u, ${LB}u);
#else
      let b${kk}_${j} = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&tile_b, gn / 4u + ${16 * kk * LB + 4 * j}u, ${LB}u);
#end
#for i in range(SM // 16)
      c${i}_${j} = subgroupMatrixMultiplyAccumulate(a${kk}_${i}, b${kk}_${j}, c${i}_${j});
#end
#end
#end
    }
    workgroupBarrier();
    if (step < steps) {
#for (x, along, wide, rows, first, size, L, slots) in OPERANDS
#for s in range(slots)
      tile_${x}[t${x}${s}] = vec4<f16>(f${x}${s}${' * scale' if loss_scale and x == 'a' else ''});
#if sums and x == 'a'
      total += f${x}${s};
#end
#end
#end
      k += ${BK}u;
    }
    workgroupBarrier();
  }

#if sums
  rest[lid] = total;
  workgroupBarrier();
  if (n_first == 0u && lid < ${BM // 4}u) {
    for (var i = 1u; i < ${W // (BM // 4)}u; i++) { total += rest[i * ${BM // 4}u + lid]; }
    write_sums(slab, m_first + lid * 4u, total);
  }
  workgroupBarrier();
#end

  // Four lanes a row of a result: this lane's rows are `row` and `row + 8`.
  let row = (lid % 32u) / 4u;
  let column = (lid % 4u) * 4u;
#for i in range(SM // 16)
#for j in range(SN // 16)
  {
    let m = m_first + gm + ${16 * i}u + row;
    let n = n_first + gn + ${16 * j}u + column;
    let e0 = extra(slab, m, n);
    let e1 = extra(slab, m + 8u, n);
    subgroupMatrixStore<row_major>(&rest, g * 64u, c${i}_${j}, 4u);
    workgroupBarrier();
    finish(slab, m, n, rest[g * 64u + lid % 32u], e0);
    finish(slab, m + 8u, n, rest[g * 64u + lid % 32u + 32u], e1);
    workgroupBarrier();
  }
#end
#end
}

//! shader dots
// S products of one row of w (K contiguous elements) with up to S vectors of x, a workgroup for each row. The row is an output's column
// where w is B (decoding: w a weight matrix, x a token's vector), its row where w is A.
// norm ("layer_norm" or "rms_norm"; then S is 1): x is that norm of what lies in x, made here by each workgroup; formulas as in norm.wgsl.
//! buffers out:w:f32 w:r:${F} x:r:${F} bias?:r:f32 residual?:r:f32 pre?:${'w' if gelu else 'r'}:f32 norm_weight?:r:${F} norm_bias?:r:${F}
//! params rows:u32 K:u32 count:u32 total:u32 ldw:u32 sw:u32 sx:u32 x_s:u32 x_k:u32 sc:u32 o_r:u32 o_s:u32 alpha:f32 beta:f32 ${'eps:f32' if norm else ''}
#if gelu or gelu_backward
#include math
#end
#include epilogue
#if norm
#include rows
fn normed(v: Item, i: u32, center: f32, scale: f32) -> Item {
  return (v - center) * scale${" * norm_weight[P.norm_weight + i]" if norm_weight else ""}${" + norm_bias[P.norm_bias + i]" if norm_bias else ""};
}
#end
var<workgroup> partial: array<array<f32, ${W}>, ${S}>;

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32,
#if norm and subgroups
        @builtin(subgroup_size) lanes: u32,
#end
) {
  let group = group_index(wid, nwg);
  if (group >= P.total) { return; }
  let z = group / P.rows;
  let r = group % P.rows;
#if F == 'f32'
  let n = P.K;
  let begin = P.w + z * P.sw + r * P.ldw;
#for s in range(S)
  let x${s} = P.x + z * P.sx + min(${s}u, P.count - 1u) * P.x_s;
  var c${s} = 0.0;
#end
#else
  let n = P.K / 4u;
  let begin = P.w + (z * P.sw + r * P.ldw) / 4u;
#for s in range(S)
  let x${s} = P.x + (z * P.sx + min(${s}u, P.count - 1u) * P.x_s) / 4u;
  var c${s} = vec4f();
#end
#end
#if norm
  let size_of_row = f32(P.K);
  var center = 0.0;
#if norm == "layer_norm"
  var all = 0.0;
  for (var c = lid; c < n; c += ${W}u) { all += item_sum(x[x0 + c]); }
  center = row_sum(all, lid, lanes, 0u) / size_of_row;
  var squares = vec2f();
  for (var c = lid; c < n; c += ${W}u) {
    let d = x[x0 + c] - center;
    squares += vec2f(item_sum(d), item_sum(d * d));
  }
  squares = row_sum2(squares, lid, lanes, 1u) / size_of_row;
  center += squares.x;
  let variance = max(squares.y - squares.x * squares.x, 0.0);
#else
  var squares = 0.0;
  for (var c = lid; c < n; c += ${W}u) { squares += item_sum(x[x0 + c] * x[x0 + c]); }
  let variance = row_sum(squares, lid, lanes, 0u) / size_of_row;
#end
  let scale = 1.0 / sqrt(variance + P.eps);
#end
  var i = lid;
  for (; i + ${3 * W}u < n; i += ${4 * W}u) {  // four reads of w under way at once
#for u in range(4)
    let w${u} = w[begin + i + ${u * W}u];
#end
#for u in range(4)
#for s in range(S)
#if norm
    c${s} = fma(w${u}, normed(x[x0 + i + ${u * W}u], i + ${u * W}u, center, scale), c${s});
#else
    c${s} = fma(w${u}, x[x${s} + (i + ${u * W}u)${' * P.x_k' if F == 'f32' else ''}], c${s});
#end
#end
#end
  }
  for (; i < n; i += ${W}u) {
    let w0 = w[begin + i];
#for s in range(S)
#if norm
    c${s} = fma(w0, normed(x[x0 + i], i, center, scale), c${s});
#else
    c${s} = fma(w0, x[x${s} + i${' * P.x_k' if F == 'f32' else ''}], c${s});
#end
#end
  }
#for s in range(S)
#if F == 'f32'
  let d${s} = c${s};
#else
  let d${s} = (c${s}.x + c${s}.y) + (c${s}.z + c${s}.w);
#end
#end
#if subgroups
  let size = subgroupAdd(1u);
#for s in range(S)
  let e${s} = subgroupAdd(d${s});
#end
  if (subgroupElect()) {
#for s in range(S)
    partial[${s}][lid / size] = e${s};
#end
  }
  workgroupBarrier();
  if (lid < P.count) {
    var sum = partial[lid][0];
    for (var g = 1u; g < ${W}u / size; g++) { sum += partial[lid][g]; }
    finish_one(z * P.sc + r * P.o_r + lid * P.o_s, ${'r' if column else 'lid'}, sum);
  }
#else
#for s in range(S)
  partial[${s}][lid] = d${s};
#end
  workgroupBarrier();
  for (var step = ${W // 2}u; step > 0u; step /= 2u) {
    if (lid < step) {
#for s in range(S)
      partial[${s}][lid] += partial[${s}][lid + step];
#end
    }
    workgroupBarrier();
  }
  if (lid < P.count) {
    finish_one(z * P.sc + r * P.o_r + lid * P.o_s, ${'r' if column else 'lid'}, partial[lid][0]);
  }
#end
}

//! shader sweep
// As `dots` where w is stored with its rows side by side: element k of row r at k * ldw + r. 32 rows a workgroup, one an invocation, in
// 8 groups that take every 8th element along K.
//! buffers out:w:f32 w:r:f32 x:r:f32 bias?:r:f32 residual?:r:f32 pre?:${'w' if gelu else 'r'}:f32
//! params rows:u32 K:u32 count:u32 total:u32 ldw:u32 sw:u32 sx:u32 x_s:u32 x_k:u32 sc:u32 o_r:u32 o_s:u32 alpha:f32 beta:f32
#if gelu or gelu_backward
#include math
#end
#include epilogue
var<workgroup> partial: array<array<f32, 256>, ${S}>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  if (group >= P.total) { return; }
  let across = (P.rows + 31u) / 32u;
  let z = group / across;
  let r = (group % across) * 32u + lid % 32u;
  let begin = P.w + z * P.sw + min(r, P.rows - 1u);
#for s in range(S)
  let x${s} = P.x + z * P.sx + min(${s}u, P.count - 1u) * P.x_s;
  var c${s} = 0.0;
#end
  var k = lid / 32u;
  for (; k + 24u < P.K; k += 32u) {
#for u in range(4)
    let w${u} = w[begin + (k + ${8 * u}u) * P.ldw];
#end
#for u in range(4)
#for s in range(S)
    c${s} = fma(w${u}, x[x${s} + (k + ${8 * u}u) * P.x_k], c${s});
#end
#end
  }
  for (; k < P.K; k += 8u) {
    let w0 = w[begin + k * P.ldw];
#for s in range(S)
    c${s} = fma(w0, x[x${s} + k * P.x_k], c${s});
#end
  }
#for s in range(S)
  partial[${s}][lid] = c${s};
#end
  workgroupBarrier();
  for (var i = lid; i < 32u * P.count; i += 256u) {
    let s = i / 32u;
    let row = (group % across) * 32u + i % 32u;
    var sum = partial[s][i % 32u];
    for (var g = 1u; g < 8u; g++) { sum += partial[s][32u * g + i % 32u]; }
    if (row < P.rows) { finish_one(z * P.sc + row * P.o_r + s * P.o_s, ${'row' if column else 's'}, sum); }
  }
}
