// The blocking of fused attention, for `#include attention_tile`: what the forward and the backward
// share (Dao 2023, flash attention 2; no T x S matrix exists). The plan (`Tile`) chooses every
// number here.
//
// A workgroup of THREADS = TX * TY threads owns a block of BLOCK_ROWS rows (queries; for dk and dv,
// keys) and walks over tiles of TILE_ROWS = 4 * TX rows of the other side, the columns of the
// scores. Both are in workgroup memory as vec4 (`staged`), a row every ROW_STRIDE vectors: an odd
// number, so that 8 neighbouring rows fall into different banks. Very large heads are not staged:
// rows are then read from storage where they are used.
//
// Scores: thread (ty, tx) has the rows ty + TY * i (i < SCORE_ROWS) and the four neighbouring
// columns 4 * tx .. 4 * tx + 3, a vec4 for each row. To keep these reads free of bank conflicts,
// row r of a tile is in slot r / 4 + TX * (r % 4). A shared vec4 read costs four cycles of the
// multiprocessor's one load pipe, during which it could do 16 warp-wide multiply-adds: SCORE_ROWS =
// 4 makes 64 of them from 8 reads (one query a thread, the textbook form, makes 4 from 1). Fewer
// rows mean more threads for the same work, which hides more latency where a problem has few
// blocks.
//
// Products with the probabilities: the same threads, seen as OY x OX, have the rows oy + OY * i (i
// < OUT_ROWS) and the vectors ox + OX * c (c < OUT_VECTORS) of the head. The probabilities go
// through workgroup memory as a vec4 of four columns, a row every TX + 1 vectors. Where it takes
// few registers (`prefetch`), the next tile's TILE_LOADS vectors of a thread are on their way
// meanwhile.
//
// Row maxima go through workgroup memory, not subgroups: 8 lanes would have to be neighbours in a
// subgroup, which not every GPU promises. Every sum has one order, whatever the scheduling.
//
// A processor that plays a GPU unrolls every loop whose length is in the text and then compiles for
// a minute: for it (`rolled`) the lengths of the inner loops are parameters.
//
// Places in the arrays of workgroup memory are written out where threads read them, not in
// functions: the compiler (Tint) leaves out the check of an index whose range it knows, and it
// knows none of what a function returns.
#include attention_rows

const TX = ${TX}u;
const TY = ${TY}u;
const OX = ${OX}u;
const OY = ${OY}u;
const THREADS = ${THREADS}u;
const BLOCK_ROWS = ${BLOCK_ROWS}u;
const TILE_ROWS = 4u * TX;
const ROW_VECTORS = ${ROW_VECTORS}u;  // of a row in workgroup memory: HEAD_VECTORS, or a few more that are zero
const ROW_STRIDE = ${ROW_STRIDE}u;
const TILE_VECTORS = TILE_ROWS * ROW_VECTORS;

// Threads load the vectors x < TILE_VECTORS of a tile in this order: vector x % ROW_VECTORS of row
// x / ROW_VECTORS. Its place in workgroup memory:
fn tile_place(x: u32) -> u32 {
  let row = x / ROW_VECTORS;
  return (row / 4u + TX * (row % 4u)) * ROW_STRIDE + x % ROW_VECTORS;
}
#for name in loads
// Vector x, in this order, of the tile that begins at row j.
fn fetch_${name}(rows: Rows, j: u32, x: u32) -> vec4f {
  return row_${name}(rows, j + x / ROW_VECTORS, x % ROW_VECTORS);
}
#end
