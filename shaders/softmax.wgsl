// Softmax and log-softmax over the rows of x[rows, n], and their backward.
//
// In: x; for the backward dy and y, the output. Out: out; dx. Dispatch: rows / (W / T). A row
// belongs to a group of ${T} invocations, which hold it in registers (${K} items each, item = vec4
// or f32); a row too long for that (K = 0) has a workgroup and is read twice. P.n: items in a row.
//
// NaN and +inf make a row NaN, and so does a row of -inf alone: the maximum is at least the lowest
// finite number, so -inf has the weight 0, and 0 / 0 shows where there is nothing else.
#include row_exponentials

#if F == "f32"
fn item_exp(v: Item) -> Item { return m_exp(v); }
#else
fn item_exp(v: Item) -> Item { return Item(m_exp(v.x), m_exp(v.y), m_exp(v.z), m_exp(v.w)); }
#end

//! shader forward
//! buffers out:w:${F} x:r:${F}
//! params rows:u32 n:u32
@compute @workgroup_size(${W})
fn main(
#include row_builtins
) {
#include row_at
#let source = "x"
#if K
  var most = LOWEST;
#include row_items
#for k in range(K)
  most = max(most, select(LOWEST, item_max(v${k}), in${k}));
#end
  most = row_max(most, lid, lanes, 0u);
  var total = 0.0;
#for k in range(K)
  v${k} -= most;
  let e${k} = item_exp_nonpositive(v${k});
  total += select(0.0, item_sum(e${k}), in${k});
#end
  total = row_sum(total, lid, lanes, 1u);
  if (row >= P.rows) { return; }
#if log
  let log_total = m_log(total);
#else
  let scale = 1.0 / total;
#end
#for k in range(K)
  if (in${k}) { out[P.out + begin + c${k}] = ${"v%d - log_total" % k if log else "e%d * scale" % k}; }
#end
#else
#include row_online_softmax
#if log
  let log_total = m_log(total);
#else
  let scale = 1.0 / total;
#end
  for (var c = t; c < P.n; c += ${T}u) {
    let v = x[P.x + begin + c] - top;
    out[P.out + begin + c] = ${"v - log_total" if log else "item_exp_nonpositive(v) * scale"};
  }
#end
}

//! shader backward
//! buffers dx:w:${F} dy:r:${F} y:r:${F}
//! params rows:u32 n:u32
@compute @workgroup_size(${W})
fn main(
#include row_builtins
) {
#include row_at
  var total = 0.0;
#if K
#for k in range(K)
  let c${k} = t + ${k * T}u;
  let in${k} = c${k} < P.n;
  let d${k} = dy[P.dy + begin + min(c${k}, P.n - 1u)];
  let v${k} = y[P.y + begin + min(c${k}, P.n - 1u)];
#end
#for k in range(K)
  total += select(0.0, item_sum(d${k}${"" if log else " * v%d" % k}), in${k});
#end
  total = row_sum(total, lid, lanes, 0u);
  if (row >= P.rows) { return; }
#for k in range(K)
  if (in${k}) { dx[P.dx + begin + c${k}] = ${"d%d - item_exp(v%d) * total" % (k, k) if log else "v%d * (d%d - total)" % (k, k)}; }
#end
#else
  for (var c = t; c < P.n; c += ${4 * T}u) {
#for k in range(4)
    let at${k} = begin + min(c + ${k * T}u, P.n - 1u);
    let d${k} = dy[P.dy + at${k}]${"" if log else " * y[P.y + at%d]" % k};
#end
#for k in range(4)
    total += select(0.0, item_sum(d${k}), c + ${k * T}u < P.n);
#end
  }
  total = row_sum(total, lid, lanes, 0u);
  for (var c = t; c < P.n; c += ${T}u) {
    let d = dy[P.dy + begin + c];
    let v = y[P.y + begin + c];
    dx[P.dx + begin + c] = ${"d - item_exp(v) * total" if log else "v * (d - total)"};
  }
#end
}
