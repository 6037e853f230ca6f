// Layer norm and RMS norm over the rows of x[rows, C], forward and backward.
//
// In: x, residual (which is added to x first), weight and bias [C]; for the backward dy and what
// the forward wrote. Out: out, sum, mean and rstd of each row; dx, and the rows' share of the
// parameter gradients. Dispatch: rows / (W / T), in the backward blocks of rows. A row belongs to a
// group of ${T} invocations, which hold it in registers (${K} items each, item = vec4 or f32), so
// storage is read once; a row too long for that (K = 0) has a workgroup and is read again. P.n:
// items in a row.
#include rows

//! shader forward
//! buffers out:w:${F} mean?:w:f32 rstd:w:f32 x:r:${F} residual?:r:${F} sum?:w:${F} weight?:r:${F} bias?:r:${F}
//! params rows:u32 n:u32 C:f32 eps:f32
@compute @workgroup_size(${W})
fn main(
#include row_builtins
) {
#let live = True
#include row_at
#if K
#for k in range(K)
  let c${k} = t + ${k * T}u;
  let in${k} = c${k} < P.n;
  let at${k} = min(c${k}, P.n - 1u);
  var v${k} = select(Item(), x[P.x + begin + at${k}], in${k});
#end
#if residual
#for k in range(K)
  v${k} += select(Item(), residual[P.residual + begin + at${k}], in${k});
  if (live && in${k}) { sum[P.sum + begin + c${k}] = v${k}; }
#end
#end
#if weight
#for k in range(K)
  let w${k} = weight[P.weight + at${k}];
#end
#end
#if bias
#for k in range(K)
  let b${k} = bias[P.bias + at${k}];
#end
#end
#if mean
  // The second pass takes the sum of the differences too: it corrects the rounding of the first
  // mean (Chan, Golub and LeVeque 1983).
  var total = 0.0;
#for k in range(K)
  total += item_sum(v${k});
#end
  let center = row_sum(total, lid, lanes, 0u) / P.C;
  var sums = vec2f();
#for k in range(K)
  v${k} = select(Item(), v${k} - center, in${k});
  sums += vec2f(item_sum(v${k}), item_sum(v${k} * v${k}));
#end
  sums = row_sum2(sums, lid, lanes, 1u) / P.C;
  let shift = sums.x;
  let variance = sums.y - shift * shift;
  let scale = 1.0 / sqrt(select(variance, 0.0, variance < 0.0) + P.eps);
#for k in range(K)
  v${k} -= shift;
#end
#else
  var squares = 0.0;
#for k in range(K)
  squares += item_sum(v${k} * v${k});
#end
  let scale = 1.0 / sqrt(row_sum(squares, lid, lanes, 0u) / P.C + P.eps);
#end
  if (!live) { return; }
#for k in range(K)
  if (in${k}) { out[P.out + begin + c${k}] = v${k} * scale${" * w%d" % k if weight else ""}${" + b%d" % k if bias else ""}; }
#end
#else
#let value = "(x[P.x + begin + c] + residual[P.residual + begin + c])" if residual else "x[P.x + begin + c]"
#if residual
  for (var c = t; c < P.n; c += ${T}u) { sum[P.sum + begin + c] = x[P.x + begin + c] + residual[P.residual + begin + c]; }
#end
#if mean
  var total = 0.0;
  for (var c = t; c < P.n; c += ${T}u) { total += item_sum(${value}); }
  let center = row_sum(total, lid, lanes, 0u) / P.C;
  var sums = vec2f();
  for (var c = t; c < P.n; c += ${T}u) {
    let d = ${value} - center;
    sums += vec2f(item_sum(d), item_sum(d * d));
  }
  sums = row_sum2(sums, lid, lanes, 1u) / P.C;
  let shift = sums.x;
  let variance = sums.y - shift * shift;
  let scale = 1.0 / sqrt(select(variance, 0.0, variance < 0.0) + P.eps);
#else
  var squares = 0.0;
  for (var c = t; c < P.n; c += ${T}u) {
    let v = ${value};
    squares += item_sum(v * v);
  }
  let scale = 1.0 / sqrt(row_sum(squares, lid, lanes, 0u) / P.C + P.eps);
#end
  for (var c = t; c < P.n; c += ${T}u) {
    out[P.out + begin + c] = ${"(%s - center - shift)" % value if mean else "(%s)" % value} * scale${" * weight[P.weight + c]" if weight else ""}${" + bias[P.bias + c]" if bias else ""};
  }
#end
  if (t == 0u) {
#if mean
    mean[P.mean + row] = center + shift;
#end
    rstd[P.rstd + row] = scale;
  }
}

//! shader backward
//! buffers dx:w:${F} dy:r:${F} x:r:${F} weight?:r:${F} mean?:r:f32 rstd:r:f32 add?:r:${F} partials?:w:${F}
//! params rows:u32 n:u32 C:f32 block:u32 splits:u32
// dx of rows, and what they add to dweight and dbias: a workgroup has `block` rows, whose dy * xhat
// and dy it adds up column by column in registers, then over its groups, and writes as one partial
// row of each. partials: dweight's [splits, C], then dbias's, of those requested.
#if K and partials and W > T
var<workgroup> columns: array<Item, ${W * kinds}>;
#end
@compute @workgroup_size(${W})
fn main(
#include row_builtins
) {
  let split = group_index(wid, nwg);
  if (split >= P.splits) { return; }
  let first_row = split * P.block;
  let end_row = min(first_row + P.block, P.rows);
  let t = lid % ${T}u;
#if K
#for k in range(K)
  let c${k} = t + ${k * T}u;
  let in${k} = c${k} < P.n;
  let at${k} = min(c${k}, P.n - 1u);
#if weight
  let w${k} = weight[P.weight + at${k}];
#end
#if dweight
  var dw${k} = Item();
#end
#if dbias
  var db${k} = Item();
#end
#end
  var slot = 0u;
  for (var i = 0u; i < P.block; i += ${W // T}u) {
    let row = first_row + i + lid / ${T}u;
    let live = row < end_row;
    let r = min(row, P.rows - 1u);
    let begin = r * P.n;
    let scale = rstd[P.rstd + r];
#if mean
    let center = mean[P.mean + r];
#end
#for k in range(K)
    let d${k} = select(Item(), dy[P.dy + begin + at${k}], live && in${k});
    let h${k} = select(Item(), ${"(x[P.x + begin + at%d] - center)" % k if mean else "x[P.x + begin + at%d]" % k} * scale, live && in${k});
#end
#if add
#for k in range(K)
    let a${k} = add[P.add + begin + at${k}];
#end
#end
    var sums = vec2f();
#for k in range(K)
    let g${k} = d${k}${" * w%d" % k if weight else ""};
    sums += vec2f(item_sum(g${k}), item_sum(g${k} * h${k}));
#if dweight
    dw${k} += d${k} * h${k};
#end
#if dbias
    db${k} += d${k};
#end
#end
#if mean
    sums = row_sum2(sums, lid, lanes, slot) / P.C;
#else
    sums.y = row_sum(sums.y, lid, lanes, slot) / P.C;
#end
    slot = 1u - slot;
#for k in range(K)
    if (live && in${k}) { dx[P.dx + begin + c${k}] = scale * (g${k}${" - sums.x" if mean else ""} - h${k} * sums.y)${" + a%d" % k if add else ""}; }
#end
  }
#if partials
#for k in range(K)
#if W == T
#if dweight
  if (in${k}) { partials[P.partials + split * P.n + c${k}] = dw${k}; }
#end
#if dbias
  if (in${k}) { partials[P.partials + (${kinds - 1}u * P.splits + split) * P.n + c${k}] = db${k}; }
#end
#else
#if k
  workgroupBarrier();
#end
#if dweight
  columns[lid] = dw${k};
#end
#if dbias
  columns[${(kinds - 1) * W}u + lid] = db${k};
#end
  workgroupBarrier();
  if (lid < ${kinds * T}u && in${k}) {
    let kind = lid / ${T}u;
    let from_ = kind * ${W}u + t;
    var total = columns[from_];
#for j in range(1, W // T)
    total += columns[from_ + ${j * T}u];
#end
    partials[P.partials + (kind * P.splits + split) * P.n + c${k}] = total;
  }
#end
#end
#end
#else
  let row = first_row;  // block is 1
  let begin = row * P.n;
  let scale = rstd[P.rstd + row];
  let center = ${"mean[P.mean + row]" if mean else "0.0"};
  var sums = vec2f();
  for (var c = t; c < P.n; c += ${T}u) {
    let g = dy[P.dy + begin + c]${" * weight[P.weight + c]" if weight else ""};
    sums += vec2f(item_sum(g), item_sum(g * ((x[P.x + begin + c] - center) * scale)));
  }
  sums = row_sum2(sums, lid, lanes, 0u) / P.C;
  for (var c = t; c < P.n; c += ${T}u) {
    let g = dy[P.dy + begin + c]${" * weight[P.weight + c]" if weight else ""};
    let h = (x[P.x + begin + c] - center) * scale;
    dx[P.dx + begin + c] = scale * (g${" - sums.x" if mean else ""} - h * sums.y)${" + add[P.add + begin + c]" if add else ""};
  }
#end
}

//! shader columns
//! buffers dy:r:${F} x:r:${F} mean?:r:f32 rstd:r:f32 partials:w:${F}
//! params rows:u32 n:u32 block:u32 splits:u32
// The partial rows alone, for rows too long for registers: an invocation has one column of a block
// of rows.
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lid: u32) {
  let c = wid.x * ${W}u + lid;
  let split = wid.y;
  if (c >= P.n) { return; }
  var dw = Item();
  var db = Item();
  let end_row = min((split + 1u) * P.block, P.rows);
  for (var row = split * P.block; row < end_row; row++) {
    let d = dy[P.dy + row * P.n + c];
    dw += d * (${"(x[P.x + row * P.n + c] - mean[P.mean + row])" if mean else "x[P.x + row * P.n + c]"} * rstd[P.rstd + row]);
    db += d;
  }
#if dweight
  partials[P.partials + split * P.n + c] = dw;
#end
#if dbias
  partials[P.partials + (${kinds - 1}u * P.splits + split) * P.n + c] = db;
#end
}
