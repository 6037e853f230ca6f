// Cross-entropy of the rows of logits[rows, V] with its gradient in the same dispatch, then the sum
// or mean of the losses in another.
//
// In: logits, targets [rows]. Out: losses [rows], dlogits, total. Dispatch: rows / (W / T), then
// one workgroup. A row belongs to a group of ${T} invocations, which hold it in registers (${K}
// items each, item = vec4 or f32); a row too long for that (K = 0) has a workgroup and is read
// twice. P.n: items in a row. A target out of range sets the error flag. The gradient of an ignored
// row is 0 times its softmax, as PyTorch's: NaN where that is.
#include row_exponentials

#if F == "f32"
fn item_hot(c: u32, column: u32) -> Item { return select(0.0, 1.0, c == column); }
fn item_at(v: Item, c: u32, column: u32) -> f32 { return select(0.0, v, c == column); }
#else
fn columns_of(c: u32) -> vec4u { return vec4u(4u * c) + vec4u(0u, 1u, 2u, 3u); }
// 1 at the column, 0 elsewhere; and the value at the column, 0 where it is in another item.
fn item_hot(c: u32, column: u32) -> Item { return select(Item(), Item(1.0), columns_of(c) == vec4u(column)); }
fn item_at(v: Item, c: u32, column: u32) -> f32 { return item_sum(select(Item(), v, columns_of(c) == vec4u(column))); }
#end
fn is_valid(wanted: i32) -> bool { return ${"wanted != P.ignore" if ignores else "true"}; }

//! shader rows
//! buffers losses:w:f32 dlogits?:w:${F} logits:r:${F} targets:r:i32 count?:r:u32 flag:w:atomic<u32>
//! params rows:u32 n:u32 V:u32 ignore:i32
#if count_here
var<workgroup> valid_rows: atomic<u32>;
#end
@compute @workgroup_size(${W})
fn main(
#include row_builtins
) {
#let live = True
#include row_at
  let wanted = targets[P.targets + min(row, P.rows - 1u)];
  let valid = is_valid(wanted);
  let column = u32(wanted);
  if (valid && column >= P.V && t == 0u) { atomicMax(&flag[P.flag], ${kernel_id + 1}u); }
#let source = "logits"
#if K
#include row_items
#end
#if count_here
  // Few rows: every workgroup counts the valid ones itself, which costs less than a dispatch that
  // does.
  var counted = 0u;
  for (var i = lid; i < P.rows; i += ${4 * W}u) {
#for k in range(4)
    let wanted${k} = targets[P.targets + min(i + ${k * W}u, P.rows - 1u)];
#end
#for k in range(4)
    counted += select(0u, 1u, i + ${k * W}u < P.rows && is_valid(wanted${k}));
#end
  }
#if subgroups
  counted = subgroupAdd(counted);
  if (subgroupElect()) { atomicAdd(&valid_rows, counted); }
#else
  atomicAdd(&valid_rows, counted);
#end
  workgroupBarrier();
  let scale = 1.0 / f32(atomicLoad(&valid_rows));
#elif count
  let scale = 1.0 / f32(count[P.count]);
#else
  let scale = 1.0;
#end
#if K
  var most = LOWEST;
#for k in range(K)
  most = max(most, select(LOWEST, item_max(v${k}), in${k}));
#end
  most = row_max(most, lid, lanes, 0u);
  var sums = vec2f();  // of the exponentials; the chosen logit less the maximum
#for k in range(K)
  v${k} -= most;
  let e${k} = item_exp_nonpositive(v${k});
  sums += select(vec2f(), vec2f(item_sum(e${k}), item_at(v${k}, c${k}, column)), in${k});
#end
  sums = row_sum2(sums, lid, lanes, 1u);
  if (!live) { return; }
#if dlogits
  let inverse = 1.0 / sums.x;
  let broken = is_nan(sums.x) || sums.x == 0.0;
#for k in range(K)
  if (in${k}) {
    let ignored = select(Item(), e${k} * inverse, broken);
    dlogits[P.dlogits + begin + c${k}] = select(ignored, (e${k} * inverse - item_hot(c${k}, column)) * scale, valid);
  }
#end
#end
  let loss = m_log(sums.x) - sums.y;
#else
  let chosen_item = min(column / ${1 if F == "f32" else 4}u, P.n - 1u);
  // Before dlogits, which may be logits, overwrites it.
  let chosen = item_at(logits[P.logits + begin + chosen_item], chosen_item, column);
#include row_online_softmax
  storageBarrier();
#if dlogits
  let inverse = 1.0 / total;
  let broken = is_nan(total) || total == 0.0;
  for (var c = t; c < P.n; c += ${4 * T}u) {
#for k in range(4)
    let v${k} = logits[P.logits + begin + min(c + ${k * T}u, P.n - 1u)] - top;
#end
#for k in range(4)
    if (c + ${k * T}u < P.n) {
      let share = item_exp_nonpositive(v${k}) * inverse;
      dlogits[P.dlogits + begin + c + ${k * T}u] =
          select(select(Item(), share, broken), (share - item_hot(c + ${k * T}u, column)) * scale, valid);
    }
#end
  }
#end
  let loss = m_log(total) - (chosen - top);
#end
  if (t == 0u) { losses[P.losses + row] = select(0.0, loss, valid); }
}

//! shader count
//! buffers count:w:u32 targets:r:i32
//! params rows:u32 ignore:i32
// count[0] = the number of rows that are not ignored: one workgroup.
var<workgroup> valid_rows: atomic<u32>;
@compute @workgroup_size(${W})
fn main(@builtin(local_invocation_index) lid: u32) {
  var counted = 0u;
  for (var i = lid; i < P.rows; i += ${8 * W}u) {
#for k in range(8)
    let wanted${k} = targets[P.targets + min(i + ${k * W}u, P.rows - 1u)];
#end
#for k in range(8)
    counted += select(0u, 1u, i + ${k * W}u < P.rows && is_valid(wanted${k}));
#end
  }
  atomicAdd(&valid_rows, counted);
  workgroupBarrier();
  if (lid == 0u) { count[P.count] = atomicLoad(&valid_rows); }
}

//! shader total
//! buffers total:w:f32 losses?:r:f32 targets?:r:i32
//! params rows:u32 ignore:i32
// total[0] = the sum of losses, divided by the number of rows that are not ignored where targets is
// given: one workgroup.
@compute @workgroup_size(${W})
fn main(@builtin(local_invocation_index) lid: u32,
#if subgroups
        @builtin(subgroup_size) lanes: u32,
#end
) {
  var sums = vec2f();
#if losses
  for (var i = lid; i < P.rows; i += ${8 * W}u) {
#for k in range(8)
    let i${k} = i + ${k * W}u;
    let loss${k} = losses[P.losses + min(i${k}, P.rows - 1u)];
#if targets
    let wanted${k} = targets[P.targets + min(i${k}, P.rows - 1u)];
#end
#end
#for k in range(8)
    sums += select(vec2f(), vec2f(loss${k}, ${"select(0.0, 1.0, is_valid(wanted%d))" % k if targets else "0.0"}), i${k} < P.rows);
#end
  }
#end
  sums = row_sum2(sums, lid, lanes, 0u);
  if (lid == 0u) { total[P.total] = ${"sums.x / sums.y" if mean else "sums.x"}; }
}
