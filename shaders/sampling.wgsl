// Sampling of the next token: temperature, top-k, top-p (Holtzman et al. 2020).
//
// In: logits [B, V], settings (temperature, top_k, top_p), rng. Out: out [B]. Dispatch: a workgroup
// of ${W} takes a row. With `small` the row (at most ${ROW} tokens) is in workgroup memory, else
// the probabilities are in scratch memory.
//
// Order among tokens is decided on the logits' bits as integers in the same order (ties are exact:
// dividing by a temperature keeps them), probabilities are float32. Nothing is sorted: the
// threshold of top-k and that of top-p, the largest key above which enough tokens or enough
// probability is, are found two bits a round. At the threshold itself the lower indices are kept,
// as many as it takes. The draw follows the index: each invocation adds up a stretch of the row, a
// scan says in which stretch the drawn number falls.

//! shader sample
//! buffers out:w:i32 logits:r:f32 rng:r:u32 settings:r:f32 weights?:w:f32
//! params B:u32 V:u32 offset_low:u32 offset_high:u32
#include philox
#include math

struct Settings {
  temperature: f32,
  top_k: f32,  // 0: keep all
  top_p: f32,  // 1: keep all
  best: u32,  // the first of the largest logits
  largest: f32,
}
var<workgroup> shared_settings: Settings;
var<workgroup> largest_key: atomic<u32>;
var<workgroup> first_of_largest: atomic<u32>;
var<workgroup> last_kept: atomic<u32>;
var<workgroup> winner: atomic<u32>;
var<workgroup> sums: array<vec4f, ${W}>;
#if small
var<workgroup> row_keys: array<u32, ${ROW}>;
var<workgroup> row_weights: array<f32, ${ROW}>;
#end

// Integers in the order of the floats; -0 is 0, and a NaN is above all.
fn key_of_float(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if (x == 0.0) { return 0x80000000u; }
  return select(select(bits | 0x80000000u, ~bits, bits >> 31u == 1u), 0xffffffffu, is_nan(x));
}
fn float_of_key(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >> 31u == 1u));
}

fn key(row: u32, i: u32) -> u32 {
#if small
  return row_keys[i];
#else
  return key_of_float(logits[P.logits + row * P.V + i]);
#end
}
fn weight(row: u32, i: u32) -> f32 {
#if small
  return row_weights[i];
#else
  return weights[P.weights + row * P.V + i];
#end
}

// The sum over the workgroup, in all invocations.
fn add_up(x: vec4f, lid: u32) -> vec4f {
  workgroupBarrier();
  sums[lid] = x;
  workgroupBarrier();
  for (var step = ${W // 2}u; step > 0u; step /= 2u) {
    if (lid < step) { sums[lid] += sums[lid + step]; }
    workgroupBarrier();
  }
  return sums[0];
}

// The number of tokens at or above each of three keys (and above `least`), or their probability.
fn masses(row: u32, lid: u32, at: vec3u, least: u32, counting: bool) -> vec3f {
  var total = vec3f();
  for (var i = lid; i < P.V; i += ${W * U}u) {
#for u in range(U)
    let i${u} = min(i + ${W * u}u, P.V - 1u);
    let k${u} = key(row, i${u});
    let w${u} = select(0.0, select(weight(row, i${u}), 1.0, counting), k${u} >= least && i + ${W * u}u < P.V);
    let m${u} = select(vec3f(), vec3f(w${u}), vec3u(k${u}) >= at);
#end
    total += ${"(m0 + m1) + (m2 + m3)" if U == 4 else "m0 + m1" if U == 2 else "m0"};
  }
  return add_up(vec4f(total, 0.0), lid).xyz;
}

// The largest key with `goal` at or above it.
fn threshold(row: u32, lid: u32, goal: f32, least: u32, counting: bool) -> u32 {
  var found = 0u;
  for (var bit = 0u; bit < 32u; bit += 2u) {
    let one = 0x40000000u >> bit;
    let at = vec3u(found) + vec3u(one, 2u * one, 3u * one);
    let enough = masses(row, lid, at, least, counting) >= vec3f(goal);
    found = select(select(select(found, at.x, enough.x), at.y, enough.y), at.z, enough.z);
  }
  return max(found, least);
}

// Inclusive sums up to each invocation.
fn scan(x: f32, lid: u32) -> f32 {
  var total = x;
  workgroupBarrier();
  sums[lid].x = total;
  workgroupBarrier();
  for (var step = 1u; step < ${W}u; step *= 2u) {
    if (lid >= step) { total += sums[lid - step].x; }
    workgroupBarrier();
    sums[lid].x = total;
    workgroupBarrier();
  }
  return total;
}

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let row = group_index(wid, nwg);
  if (row >= P.B) { return; }

  // The largest logit, and the first that is equal to it.
  var mine = 0u;
  var mine_at = 0u;
  for (var i = lid; i < P.V; i += ${W}u) {
    let k = key_of_float(logits[P.logits + row * P.V + i]);
#if small
    row_keys[i] = k;
#end
    if (k > mine) {
      mine = k;
      mine_at = i;
    }
  }
  if (lid == 0u) {
    atomicStore(&first_of_largest, 0xffffffffu);
    atomicStore(&winner, 0xffffffffu);
  }
  atomicMax(&largest_key, mine);
  workgroupBarrier();
  if (mine == atomicLoad(&largest_key)) { atomicMin(&first_of_largest, mine_at); }
  workgroupBarrier();
  if (lid == 0u) {
    let best = atomicLoad(&first_of_largest);
    let k = settings[P.settings + 1u];
    let p = settings[P.settings + 2u];
    shared_settings = Settings(settings[P.settings], select(0.0, floor(k), k > 0.0 && k < f32(P.V)),
                               select(1.0, p, p > 0.0 && p < 1.0), best, logits[P.logits + row * P.V + best]);
  }
  let s = workgroupUniformLoad(&shared_settings);
  // A NaN or an infinity leaves nothing to weigh.
  if (s.temperature == 0.0 || (bitcast<u32>(s.largest) & 0x7f800000u) == 0x7f800000u) {
    if (lid == 0u) { out[P.out + row] = i32(s.best); }
    return;
  }

  for (var i = lid; i < P.V; i += ${W}u) {
    let w = m_exp_nonpositive((logits[P.logits + row * P.V + i] - s.largest) / s.temperature);
#if small
    row_weights[i] = w;
#else
    weights[P.weights + row * P.V + i] = w;
#end
  }
#if small
  workgroupBarrier();
#else
  storageBarrier();
#end

  var least = 0u;  // keys below are not kept
  if (s.top_k >= 1.0) { least = threshold(row, lid, s.top_k, 0u, true); }
  var take = 0xffffffffu;  // how many tokens whose key is `least` are kept
  if (s.top_p < 1.0) {
    let goal = s.top_p * masses(row, lid, vec3u(least), least, false).x;
    least = threshold(row, lid, goal, least, false);
    let above = masses(row, lid, vec3u(least + 1u), least, false).x;
    let each = m_exp_nonpositive((float_of_key(least) - s.largest) / s.temperature);
    var r = max(ceil((goal - above) / each), 1.0);
    if (r > 1.0 && above + (r - 1.0) * each >= goal) { r -= 1.0; }
    if (above + r * each < goal) { r += 1.0; }
    take = u32(clamp(r, 1.0, 1e9));
  }

  // This invocation's stretch of the row.
  let length = (P.V - 1u) / ${W}u + 1u;
  let begin = min(lid * length, P.V);
  let end = min(begin + length, P.V);
  var higher = 0.0;
  var ties = 0u;
  var tie_weight = 0.0;
  for (var i = begin; i < end; i++) {
    let k = key(row, i);
    let w = weight(row, i);
    if (k > least) { higher += w; }
    if (k == least) {
      ties++;
      tie_weight = w;
    }
  }
  let ties_before = u32(scan(f32(ties), lid)) - ties;
  let ties_kept = min(ties, take - min(take, ties_before));
  let mass = higher + tie_weight * f32(ties_kept);
  let reached = scan(mass, lid);
  let target_mass = philox_uniform(
    philox_block(vec4u(rng[P.rng], rng[P.rng + 1u], rng[P.rng + 2u], rng[P.rng + 3u]),
                 vec2u(P.offset_low, P.offset_high), row)).x * sums[${W - 1}].x;
  if (mass > 0.0) {
    atomicMax(&last_kept, lid);
    if (reached > target_mass) { atomicMin(&winner, lid); }
  }
  workgroupBarrier();
  let chosen = min(atomicLoad(&winner), atomicLoad(&last_kept));
  if (lid == chosen) {
    var below = 0.0;
    if (lid > 0u) { below = sums[lid - 1u].x; }
    var kept_ties = 0u;
    var last = s.best;
    for (var i = begin; i < end; i++) {
      let k = key(row, i);
      let w = weight(row, i);
      let tie = k == least;
      if ((k > least || (tie && kept_ties < ties_kept)) && w > 0.0) {
        below += w;
        last = i;
        if (below > target_mass) { break; }
      }
      if (tie) { kept_ties++; }
    }
    out[P.out + row] = i32(last);
  }
}
