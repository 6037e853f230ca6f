// Matrix products by register tiles: out = epilogue(alpha * op(A) op(B) + beta * out), of any
// shape, transpose, stride and offset. The plan is plans/matmul_plan.py; tile_choice.py chooses the
// tile.
//
// A workgroup makes BM x BN outputs. It is KS slices of GT invocations. Each slice has a tile of
// its own in workgroup memory and takes every KS-th step of 16 along K; at the end the slices are
// added up in order. An invocation owns TM x TN outputs: rows ty*4..+3 of each of TM/4 bands of the
// tile, columns tx*4..+3 of each of TN/4 bands, so that neighbours read neighbouring vectors. While
// a step is multiplied, the next one's elements are on their way into registers, in blocks of 4 x
// 4. A tile's row k has the BM values of A, then the BN values of B. Columns are permuted (XOR with
// the operand's swizzle) so that writing a block that was transposed meets no bank twice. With
// splits > 1 the workgroups of split s sum a part of K only and write partial result s (a slab of M
// x N). half: the tile holds 16-bit floats; sums are f32.
//! shader main
//! buffers out:w:${C} a?:r:${A.type} b?:r:${B.type} bias?:r:${C} residual?:r:${C} pre?:${'w' if gelu else 'r'}:${C}
//! buffers sums?:w:${C} loss_scale?:r:f32
//! params M:u32 N:u32 lda:u32 ldb:u32 ldc:u32 sa:u32 sb:u32 sc:u32 K:u32 depth:u32 splits:u32
//! params across:u32 down:u32 total:u32 alpha:f32 beta:f32
#if gelu or gelu_backward
#include math
#end
#include matmul_epilogue

alias Staged = vec4<${'f16' if half else 'f32'}>;
// [slice][k / 4][k % 4][column / 4]
var<workgroup> tile: array<array<array<array<Staged, ${(BM + BN) // 4}>, 4>, 4>, ${KS}>;

#if a
#include matmul_operands
// The block of 4 x 4 elements that an invocation stages in every step.
struct Block {
  // The addresses of its four vectors, counted from the step's first element along K. Where single
  // elements are read from four rows: the addresses of the rows.
  at: vec4u,
  k: u32,  // its place in the tile: rows k * 4..+3, vector `column` of each
  column: u32,
}
#for X in OPERANDS
// Block i of the tile's; first: the operand's first row in the tile.
fn block_${X}(i: u32, z: u32, first: u32) -> Block {
  var block: Block;
  let q = i - ${X.first_block}u;
#if X.along_k
  block.k = q % 4u;
  let row_in_tile = (q / 4u) * 4u;
#else
  block.k = q / ${X.size // 4}u;
  let row_in_tile = (q % ${X.size // 4}u) * 4u;
#end
  block.column = ${X.first_block // 4}u + ((row_in_tile / 4u) ^ (block.k * ${X.swizzle}u));
  let row = first + row_in_tile;
  let k = block.k * 4u;
#if X.along_k
  block.at = vec4u(address_${X}(z, row, k), address_${X}(z, row + 1u, k),
                   address_${X}(z, row + 2u, k), address_${X}(z, row + 3u, k));
#elif X.vec4
  block.at = vec4u(address_${X}(z, row, k), address_${X}(z, row, k + 1u),
                   address_${X}(z, row, k + 2u), address_${X}(z, row, k + 3u));
#else
  block.at = address_${X}(z, row, k) + rows_${X}(row);
#end
  return block;
}
// The block's four vectors in the step from k on, in memory's order. To transpose them here would
// make the next step's loads wait: invocations with blocks of A and of B go on together.
fn load_block_${X}(block: Block, k: u32, k_end: u32) -> mat4x4f {
  let first = k + block.k * 4u;
#if X.along_k
  let at = block.at + offset_${X}(k);
  return mat4x4f(load_${X}(at.x, first, k_end), load_${X}(at.y, first, k_end),
                 load_${X}(at.z, first, k_end), load_${X}(at.w, first, k_end));
#elif X.vec4
  let at = block.at + offset_${X}(k);
  return mat4x4f(load_${X}(at.x, first, k_end), load_${X}(at.y, first + 1u, k_end),
                 load_${X}(at.z, first + 2u, k_end), load_${X}(at.w, first + 3u, k_end));
#else
  return mat4x4f(load_${X}(block.at + offset_${X}(k), first, k_end),
                 load_${X}(block.at + offset_${X}(k + 1u), first + 1u, k_end),
                 load_${X}(block.at + offset_${X}(k + 2u), first + 2u, k_end),
                 load_${X}(block.at + offset_${X}(k + 3u), first + 3u, k_end));
#end
}
#end
// rows: for each of the block's elements along K, a vector of four rows.
fn stage(slice: u32, block: Block, rows: mat4x4f) {
#for i in range(4)
  tile[slice][block.k][${i}][block.column] = Staged(rows[${i}]);
#end
}
#end

#if scratch
// ${scratch} vectors for each invocation, after the last step: in the tiles where those are f32.
#if half
var<workgroup> scratch: array<vec4f, ${scratch * GT}>;
fn scratch_put(slot: u32, t: u32, v: vec4f) { scratch[slot * ${GT}u + t] = v; }
fn scratch_get(slot: u32, t: u32) -> vec4f { return scratch[slot * ${GT}u + t]; }
#else
fn scratch_put(slot: u32, t: u32, v: vec4f) {
  let i = slot * ${GT}u + t;
  let row = i / ${(BM + BN) // 4}u;
  tile[row / 16u][(row / 4u) % 4u][row % 4u][i % ${(BM + BN) // 4}u] = v;
}
fn scratch_get(slot: u32, t: u32) -> vec4f {
  let i = slot * ${GT}u + t;
  let row = i / ${(BM + BN) // 4}u;
  return tile[row / 16u][(row / 4u) % 4u][row % 4u][i % ${(BM + BN) // 4}u];
}
#end
#end

@compute @workgroup_size(${GT * KS})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
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
  // c<r>_<j>: row r and band j of this invocation's outputs.
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

  // An invocation has a block in each slot; in one slot, the first invocations may have blocks of A
  // and the others blocks of B.
#for s, shares in enumerate(SLOTS)
  var block${s}: Block;
  var values${s}: mat4x4f;
#if sums
  var row_sums${s} = vec4f();
#end
#for share in shares
  ${'else ' if share.begin else ''}${'if (t < %du) ' % share.end if share.end < GT else ''}{
    block${s} = block_${share.operand}(t + ${s * GT}u, z, ${'m' if share.operand == A else 'n'}_first);
  }
#end
#end

  var k = k_begin + slice * 16u;
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
#for s, shares in enumerate(SLOTS)
#for share in shares
      ${'else ' if share.begin else ''}${'if (t < %du) ' % share.end if share.end < GT else ''}{
        values${s} = load_block_${share.operand}(block${s}, k, k_end);
      }
#end
#end
    }
    if (step > 0u) {
      for (var kb = 0u; kb < 4u; kb++) {
#for i in range(TM // 4)
        let column_a${i} = (${i * (BM // TM)}u + ty) ^ (kb * ${A.swizzle}u);
#end
#for j in range(TN // 4)
        let column_b${j} = ${BM // 4}u + ((${j * (BN // TN)}u + tx) ^ (kb * ${B.swizzle}u));
#end
#for e in range(4)
#for i in range(TM // 4)
        let a${e}_${i} = vec4f(tile[slice][kb][${e}][column_a${i}]);
#end
#for j in range(TN // 4)
        let b${e}_${j} = vec4f(tile[slice][kb][${e}][column_b${j}]);
#end
#for i in range(TM // 4)
#for r in range(4)
#for j in range(TN // 4)
        c${4 * i + r}_${j} = fma(vec4f(a${e}_${i}.${'xyzw'[r]}), b${e}_${j}, c${4 * i + r}_${j});
#end
#end
#end
#end
      }
    }
    workgroupBarrier();
    if (step < steps) {
#for s, shares in enumerate(SLOTS)
#for share in shares
      ${'else ' if share.begin else ''}${'if (t < %du) ' % share.end if share.end < GT else ''}{
        let rows = ${'transpose(values%d)' % s if share.operand.along_k else 'values%d' % s};
        stage(slice, block${s}, rows${' * scale' if loss_scale and share.operand == A else ''});
#if sums and share.operand == A
        row_sums${s} += (rows[0] + rows[1]) + (rows[2] + rows[3]);
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
  // Row sums of A: each invocation has those of its blocks, and four blocks of each slice have the
  // same four rows.
#for s, shares in enumerate(SLOTS)
#for share in shares
#if share.operand == A
  ${'if (t < %du) ' % share.end if share.end < GT else ''}{
    scratch_put(slice * ${-(-BM // GT)}u + ${s}u, t, row_sums${s});
  }
#end
#end
#end
  workgroupBarrier();
  if (n_first == 0u && lid < ${BM // 4}u) {
    var total = vec4f();
    for (var i = 0u; i < ${4 * KS}u; i++) {
#if A.along_k
      let q = lid * 4u + i % 4u;
#else
      let q = (i % 4u) * ${BM // 4}u + lid;
#end
      total += scratch_get((i / 4u) * ${-(-BM // GT)}u + q / ${GT}u, q % ${GT}u);
    }
    write_sums(slab, m_first + lid * 4u, total);
  }
  workgroupBarrier();
#end

#if KS > 1
  // Slice 0 adds the outputs of the other slices to its own, in order. Where the scratch memory
  // does not hold all of them there are several rounds.
#for handoffs in ROUNDS
#for h in handoffs
  if (slice == ${h.slice}u) {
#for u in range(h.begin, h.end)
    scratch_put(${h.slot + u - h.begin}u, t, c${u // (TN // 4)}_${u % (TN // 4)});
#end
  }
#end
  workgroupBarrier();
  if (slice == 0u) {
#for h in handoffs
#for u in range(h.begin, h.end)
    c${u // (TN // 4)}_${u % (TN // 4)} += scratch_get(${h.slot + u - h.begin}u, t);
#end
#end
  }
  workgroupBarrier();
#end
  if (slice > 0u) { return; }
#end

#if gelu or gelu_backward
  // A loop over the outputs, through each invocation's own slots: the text has the error function
  // four times, not once for every output.
#for u0 in range(0, TM * TN // 4, scratch)
#for u in range(u0, min(u0 + scratch, TM * TN // 4))
  scratch_put(${u - u0}u, t, c${u // (TN // 4)}_${u % (TN // 4)});
#end
  for (var u = ${u0}u; u < ${min(u0 + scratch, TM * TN // 4)}u; u += 4u) {
#for v in range(4)
    let r${v} = (u + ${v}u) / ${TN // 4}u;
    let j${v} = (u + ${v}u) % ${TN // 4}u;
    let m${v} = m_first + (r${v} / 4u) * ${4 * (BM // TM)}u + ty * 4u + r${v} % 4u;
    let n${v} = n_first + j${v} * ${4 * (BN // TN)}u + tx * 4u;
    let e${v} = read_epilogue(slab, m${v}, n${v});
#end
#for v in range(4)
    finish(slab, m${v}, n${v}, scratch_get(u + ${v}u - ${u0}u, t), e${v});
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
    let e${r}_${j} = read_epilogue(slab, m${r}_${j}, n${r}_${j});
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
