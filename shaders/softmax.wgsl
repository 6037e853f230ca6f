// Softmax and log-softmax over the rows of x[rows, n], and their backward. A row belongs to a group of ${T} invocations, which hold it in
// registers (${K} items each, item = vec4 or f32); a row too long for that (K = 0) has a workgroup and is read twice. P.n: items in a row.
//
// NaN and +inf make a row NaN, and so does a row of -inf alone: the maximum is at least the lowest finite number, so -inf has the weight 0,
// and 0 / 0 shows where there is nothing else.
#include rows
#include math

const LOWEST = -3.4028234e38;
#if F == "f32"
fn item_exp_nonpositive(v: Item) -> Item { return m_exp_nonpositive(v); }
fn item_exp(v: Item) -> Item { return m_exp(v); }
#else
fn item_exp_nonpositive(v: Item) -> Item {
  return Item(m_exp_nonpositive(v.x), m_exp_nonpositive(v.y), m_exp_nonpositive(v.z), m_exp_nonpositive(v.w));
}
fn item_exp(v: Item) -> Item { return Item(m_exp(v.x), m_exp(v.y), m_exp(v.z), m_exp(v.w)); }
#end

//! shader forward
//! buffers out:w:${F} x:r:${F}
//! params rows:u32 n:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32,
#if subgroups
        @builtin(subgroup_size) lanes: u32,
#end
) {
  let first_row = group_index(wid, nwg) * ${W // T}u;
  if (first_row >= P.rows) { return; }
  let row = first_row + lid / ${T}u;
  let begin = min(row, P.rows - 1u) * P.n;
  let t = lid % ${T}u;
#if K
  var most = LOWEST;
#for k in range(K)
  let c${k} = t + ${k * T}u;
  let in${k} = c${k} < P.n;
  var v${k} = x[P.x + begin + min(c${k}, P.n - 1u)];
#end
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
  // Maximum and sum in one pass (Milakov and Gimelshein 2018), four items at a time.
  var most = LOWEST;
  var total = 0.0;
  for (var c = t; c < P.n; c += ${4 * T}u) {
#for k in range(4)
    let v${k} = select(Item(-inf()), x[P.x + begin + min(c + ${k * T}u, P.n - 1u)], c + ${k * T}u < P.n);
#end
    let larger = max(max(most, max(item_max(v0), item_max(v1))), max(item_max(v2), item_max(v3)));
    total *= m_exp_nonpositive(most - larger);
#for k in range(4)
    total += item_sum(item_exp_nonpositive(v${k} - larger));
#end
    most = larger;
  }
  let top = row_max(most, lid, lanes, 0u);
  total = row_sum(total * m_exp_nonpositive(most - top), lid, lanes, 1u);
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
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32,
#if subgroups
        @builtin(subgroup_size) lanes: u32,
#end
) {
  let first_row = group_index(wid, nwg) * ${W // T}u;
  if (first_row >= P.rows) { return; }
  let row = first_row + lid / ${T}u;
  let begin = min(row, P.rows - 1u) * P.n;
  let t = lid % ${T}u;
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
