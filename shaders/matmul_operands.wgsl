// The operands of a matrix product, for `#include matmul_operands`: four neighbours at a time, from
// memory into a vec4f.
//
// An X of OPERANDS (`a` and `b`; plans/matmul_plan.py) is `along_k` where neighbours in memory are
// neighbours along K. Otherwise they are neighbouring rows. A row of B is a column of op(B), so
// that both operands read alike. X.vec4: memory is read as vectors of four; addresses and lines
// count what is read, vectors or single elements. Rows past the last one are read from the last
// one: nobody writes their results.
//
// The cases are the template's and not `x / 1u` in WGSL: with it, the 128 x 128 tile of the matrix
// units needs more registers and takes 1.35 times as long (H200, odd sizes).
#for X in OPERANDS
// From element 0 along K to element k.
fn offset_${X}(k: u32) -> u32 {
#if X.along_k and X.vec4
  return k / 4u;
#elif X.along_k
  return k;
#elif X.vec4
  return k * (P.ld${X} / 4u);
#else
  return k * P.ld${X};
#end
}

// Where the four neighbours from (row, k) on are in product z of the batch. Where single elements
// are read from four rows: where element k of row 0 is, to which rows_${X} adds.
fn address_${X}(z: u32, row: u32, k: u32) -> u32 {
#if X.vec4
  let begin = P.${X} + z * (P.s${X} / 4u);
  let line = P.ld${X} / 4u;
#else
  let begin = P.${X} + z * P.s${X};
  let line = P.ld${X};
#end
#if X.along_k
  return begin + min(row, P.${X.rows} - 1u) * line + offset_${X}(k);
#elif X.vec4
  return begin + min(row, P.${X.rows} - 4u) / 4u + offset_${X}(k);
#else
  return begin + offset_${X}(k);
#end
}
#if not X.along_k and not X.vec4
fn rows_${X}(row: u32) -> vec4u {
  return min(vec4u(row, row + 1u, row + 2u, row + 3u), vec4u(P.${X.rows} - 1u));
}
#end

// The four elements, whose first is element k along K. tail: the last step along K is not full, and
// elements from k_end on are zero.
fn load_${X}(at: ${'u32' if X.along_k or X.vec4 else 'vec4u'}, k: u32, k_end: u32) -> vec4f {
#if X.vec4
  let v = ${X}[at];
#elif X.along_k
  let v = vec4f(${X}[at], ${X}[at + 1u], ${X}[at + 2u], ${X}[at + 3u]);
#else
  let v = vec4f(${X}[at.x], ${X}[at.y], ${X}[at.z], ${X}[at.w]);
#end
#if not tail
  return v;
#elif X.along_k and not X.vec4
  return select(vec4f(), v, vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(k_end));
#else
  return select(vec4f(), v, k < k_end);
#end
}
#end
