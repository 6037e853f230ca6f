// Matrix products on the GPU's matrix units (subgroup matrices): operands of 16 bits, sums of 32,
// else as matmul_tile.wgsl. The plan is plans/matmul_plan.py; tile_choice.py chooses the tile.
//
// A workgroup of W invocations makes BM x BN outputs. Its subgroups have 32 invocations each: the
// plan takes devices where all have that size. Subgroup g owns SM x SN outputs, as 16 x 16
// matrices. A step takes BK elements along K. Operands are rounded to 16 bits on their way into
// workgroup memory. There they keep the order that they have in memory, in lines of L vectors (8
// elements of padding included); the matrix units read them row by row or column by column. Results
// go through workgroup memory, one 16 x 16 matrix of each subgroup at a time. Offsets and strides
// of the matrix loads count vectors of four.
//! shader main
//! buffers out:w:${C} a:r:${A.type} b:r:${B.type} bias?:r:${C} residual?:r:${C} pre?:${'w' if gelu else 'r'}:${C}
//! buffers sums?:w:${C} loss_scale?:r:f32
//! params M:u32 N:u32 lda:u32 ldb:u32 ldc:u32 sa:u32 sb:u32 sc:u32 K:u32 depth:u32 splits:u32
//! params across:u32 down:u32 total:u32 alpha:f32 beta:f32
#if gelu or gelu_backward
#include math
#end
#include matmul_epilogue
#include matmul_operands
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Result = subgroup_matrix_result<f32, 16, 16>;

#for X in OPERANDS
var<workgroup> tile_${X}: array<vec4<f16>, ${((X.size if X.along_k else BK) + 1) * X.L}>;

// One of the vectors that an invocation stages in every step.
struct Vector_${X} {
  at: u32,  // its address, counted from the step's first element along K
  row: u32,  // its first row in the operand
  k: u32,  // its first element along K within the step
  place: u32,  // in the tile
}
// Vector q of the operand's tile; first: the tile's first row.
fn vector_${X}(q: u32, z: u32, first: u32) -> Vector_${X} {
#if X.along_k
  let k = (q % ${BK // 4}u) * 4u;
  let row = q / ${BK // 4}u;
  let place = row * ${X.L}u + k / 4u;
#else
  let k = q / ${X.size // 4}u;
  let row = (q % ${X.size // 4}u) * 4u;
  let place = k * ${X.L}u + row / 4u;
#end
  return Vector_${X}(address_${X}(z, first + row, k), first + row, k, place);
}
// Its elements in the step from k on. Four rows' addresses are made anew: they would take
// registers.
fn load_vector_${X}(v: Vector_${X}, k: u32, k_end: u32) -> vec4f {
#if X.along_k or X.vec4
  return load_${X}(v.at + offset_${X}(k), k + v.k, k_end);
#else
  return load_${X}(v.at + offset_${X}(k) + rows_${X}(v.row), k + v.k, k_end);
#end
}
#end
var<workgroup> scratch: array<vec4f, ${2 * W}>;

@diagnostic(off, chromium.subgroup_matrix_uniformity)
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  if (group >= P.total) { return; }
  let n_first = (group % P.across) * ${BN}u;
  let m_first = ((group / P.across) % P.down) * ${BM}u;
  let slab = group / (P.across * P.down);
  let g = lid / 32u;
  let gm = (g / ${BN // SN}u) * ${SM}u;  // the subgroup's first row and column within the tile
  let gn = (g % ${BN // SN}u) * ${SN}u;
#if loss_scale
  let scale = loss_scale[P.loss_scale];
#end
#if sums
  var row_sums = vec4f();
#end
#for i in range(SM // 16)
#for j in range(SN // 16)
  var c${i}_${j} = Result();
#end
#end
  let z = slab / P.splits;
  let k_begin = (slab % P.splits) * P.depth;
  let k_end = min(P.K, k_begin + P.depth);
  let steps = (k_end - k_begin + ${BK - 1}u) / ${BK}u;
#for X in OPERANDS
#for s in range(X.slots)
  let vector_${X}${s} = vector_${X}(lid + ${s * W}u, z, ${'m' if X == A else 'n'}_first);
  var value_${X}${s} = vec4f();
#end
#end

  var k = k_begin;
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
#for X in OPERANDS
#for s in range(X.slots)
      value_${X}${s} = load_vector_${X}(vector_${X}${s}, k, k_end);
#end
#end
    }
    if (step > 0u) {
#for kk in range(BK // 16)
#for i in range(SM // 16)
#if A.along_k
      let a${kk}_${i} = subgroupMatrixLoad<Left, row_major>(
        &tile_a, (gm + ${16 * i}u) * ${A.L}u + ${4 * kk}u, ${A.L}u);
#else
      let a${kk}_${i} = subgroupMatrixLoad<Left, col_major>(
        &tile_a, gm / 4u + ${16 * kk * A.L + 4 * i}u, ${A.L}u);
#end
#end
#for j in range(SN // 16)
#if B.along_k
      let b${kk}_${j} = subgroupMatrixLoad<Right, col_major>(
        &tile_b, (gn + ${16 * j}u) * ${B.L}u + ${4 * kk}u, ${B.L}u);
#else
      let b${kk}_${j} = subgroupMatrixLoad<Right, row_major>(
        &tile_b, gn / 4u + ${16 * kk * B.L + 4 * j}u, ${B.L}u);
#end
#for i in range(SM // 16)
      c${i}_${j} = subgroupMatrixMultiplyAccumulate(a${kk}_${i}, b${kk}_${j}, c${i}_${j});
#end
#end
#end
    }
    workgroupBarrier();
    if (step < steps) {
#for X in OPERANDS
#for s in range(X.slots)
      tile_${X}[vector_${X}${s}.place] = vec4<f16>(value_${X}${s}${' * scale' if loss_scale and X == A else ''});
#if sums and X == A
      row_sums += value_a${s};
#end
#end
#end
      k += ${BK}u;
    }
    workgroupBarrier();
  }

#if sums
  // Row sums of A, which is stored K x M here: invocations BM / 4 apart have the same four rows.
  scratch[lid] = row_sums;
  workgroupBarrier();
  if (n_first == 0u && lid < ${BM // 4}u) {
    for (var i = 1u; i < ${W // (BM // 4)}u; i++) { row_sums += scratch[i * ${BM // 4}u + lid]; }
    write_sums(slab, m_first + lid * 4u, row_sums);
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
    let e0 = read_epilogue(slab, m, n);
    let e1 = read_epilogue(slab, m + 8u, n);
    subgroupMatrixStore<row_major>(&scratch, g * 64u, c${i}_${j}, 4u);
    workgroupBarrier();
    finish(slab, m, n, scratch[g * 64u + lid % 32u], e0);
    finish(slab, m + 8u, n, scratch[g * 64u + lid % 32u + 32u], e1);
    workgroupBarrier();
  }
#end
#end
}
