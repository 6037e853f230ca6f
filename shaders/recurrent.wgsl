// Recurrent layers (LSTM, GRU, tanh, relu), a dispatch for each time step: an invocation has one
// unit of one sequence.
//
// The state is in memory of the launch: h before and behind a step by turns, c in place, [B, H]
// each. Where sequences have lengths, `sizes` has how many each step has (P.T of them, which
// decrease): the rows of step t begin behind those of the steps before it.
#include math

//! shader begin
//! buffers h:w:f32 c?:w:f32 h0?:r:f32 c0?:r:f32 sizes?:r:i32 flag:w:atomic<u32>
//! params B:u32 T:u32 H:u32 rows:u32
// h = h0 and c = c0, or 0. Sizes that do not fit set the error flag.
#include recurrent_steps
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 64u + lid;
#if sizes
  if (i == 0u) {
    var wrong = first(P.T) != P.rows || (P.T > 0u && members(0u) != P.B);
    for (var t = 0u; t < P.T; t++) {
      let n = sizes[P.sizes + t];
      wrong = wrong || n < 1 || n > i32(P.B) || (t > 0u && n > sizes[P.sizes + t - 1u]);
    }
    if (wrong) { atomicMax(&flag[P.flag], ${kernel_id + 1}u); }
  }
#end
  if (i >= P.B * P.H) { return; }
  h[P.h + i] = ${"h0[P.h0 + i]" if h0 else "0.0"};
#if c
  c[P.c + i] = ${"c0[P.c0 + i]" if c0 else "0.0"};
#end
}

//! shader transpose
//! buffers out:w:f32 w:r:f32
//! params M:u32 N:u32
// out [N, M] of w [M, N].
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 64u + lid;
  if (i < P.M * P.N) { out[P.out + i] = w[P.w + i % P.M * P.N + i / P.M]; }
}

//! shader step
//! buffers y:w:f32 gates:w:f32 kept?:w:f32 state:w:f32 w:r:f32 bias?:r:f32 sizes?:r:i32
//! params B:u32 T:u32 H:u32 rows:u32 ldy:u32 t:u32 before:u32 behind:u32 cells:u32
// w: transposed, [H, G * H]. before, behind, cells: where h before and behind the step and c are in
// state.
#include recurrent_steps
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 64u + lid;
  if (i >= P.B * P.H) { return; }
  let b = i / P.H;
  let u = i % P.H;
  let h = state[P.state + P.before + i];
  let row = first(P.t) + b;
  if (b >= members(P.t) || row >= P.rows) {
    state[P.state + P.behind + i] = h;
    return;
  }
#for g in range(G)
  var s${g} = 0.0;
#end
  for (var k = 0u; k < P.H; k++) {
    let v = state[P.state + P.before + b * P.H + k];
    let column = P.w + k * ${G}u * P.H + u;
#for g in range(G)
    s${g} += v * w[column + ${g}u * P.H];
#end
  }
#if bias
#for g in range(G)
  s${g} += bias[P.bias + ${g}u * P.H + u];
#end
#end
  let gate = P.gates + row * ${G}u * P.H + u;
#if cell == "lstm"
  let i_gate = m_sigmoid(gates[gate] + s0);
  let f_gate = m_sigmoid(gates[gate + P.H] + s1);
  let g_gate = m_tanh(gates[gate + 2u * P.H] + s2);
  let o_gate = m_sigmoid(gates[gate + 3u * P.H] + s3);
  gates[gate] = i_gate;
  gates[gate + P.H] = f_gate;
  gates[gate + 2u * P.H] = g_gate;
  gates[gate + 3u * P.H] = o_gate;
  let c = f_gate * state[P.state + P.cells + i] + i_gate * g_gate;
  state[P.state + P.cells + i] = c;
#if kept
  kept[P.kept + row * P.H + u] = c;
#end
  let next = o_gate * m_tanh(c);
#elif cell == "gru"
  let r_gate = m_sigmoid(gates[gate] + s0);
  let z_gate = m_sigmoid(gates[gate + P.H] + s1);
  let n_gate = m_tanh(gates[gate + 2u * P.H] + r_gate * s2);
  gates[gate] = r_gate;
  gates[gate + P.H] = z_gate;
  gates[gate + 2u * P.H] = n_gate;
#if kept
  kept[P.kept + row * P.H + u] = s2;
#end
  let next = (h - n_gate) * z_gate + n_gate;
#else
  let v = gates[gate] + s0;
  let next = ${"m_tanh(v)" if cell == "tanh" else "select(v, 0.0, v <= 0.0 && !is_nan(v))"};
  gates[gate] = next;
#end
  y[P.y + row * P.ldy + u] = next;
  state[P.state + P.behind + i] = next;
}

//! shader end
//! buffers hn:w:f32 cn?:w:f32 state:r:f32
//! params n:u32 behind:u32 cells:u32
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 64u + lid;
  if (i >= P.n) { return; }
  hn[P.hn + i] = state[P.state + P.behind + i];
#if cn
  cn[P.cn + i] = state[P.state + P.cells + i];
#end
}

//! shader before
//! buffers out:w:f32 x:r:f32 x0:r:f32 sizes?:r:i32
//! params B:u32 T:u32 H:u32 rows:u32 ldx:u32 t:u32
// For the rows of step t: out[row] = x of the same sequence's step before, x0 in front of the
// first.
#include recurrent_steps
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 64u + lid;
  let b = i / P.H;
  let u = i % P.H;
  let row = first(P.t) + b;
  if (b >= members(P.t) || row >= P.rows) { return; }
#if reverse
  let known = P.t + 1u < P.T && b < members(P.t + 1u);
  let from_ = min(first(P.t + 1u) + b, P.rows - 1u);
#else
  let known = P.t > 0u && b < members(P.t - 1u);
  let from_ = min(first(max(P.t, 1u) - 1u) + b, P.rows - 1u);
#end
  out[P.out + row * P.H + u] = select(x0[P.x0 + b * P.H + u], x[P.x + from_ * P.ldx + u], known);
}

//! shader product
//! buffers dh:w:f32 d:r:f32 w:r:f32 sizes?:r:i32
//! params B:u32 T:u32 H:u32 rows:u32 t:u32
// dh += d w for the rows of step t: d [rows, G * H], w [G * H, H].
#include recurrent_steps
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 64u + lid;
  let b = i / P.H;
  let u = i % P.H;
  let row = first(P.t) + b;
  if (b >= members(P.t) || row >= P.rows) { return; }
  var sum = 0.0;
  for (var k = 0u; k < ${G}u * P.H; k++) { sum += d[P.d + row * ${G}u * P.H + k] * w[P.w + k * P.H + u]; }
  dh[P.dh + i] += sum;
}

//! shader gates
//! buffers dgates:w:f32 dhidden?:w:f32 dh:w:f32 dc?:w:f32 dy?:r:f32 gates:r:f32 kept?:r:f32 before?:r:f32 sizes?:r:i32
//! params B:u32 T:u32 H:u32 rows:u32 lddy:u32 t:u32
// The gradients of the gates at step t. dh and dc: of the state behind the step, then of the one
// before it but for the product. before: c (LSTM) or h (GRU) before each row.
#include recurrent_steps
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 64u + lid;
  let b = i / P.H;
  let u = i % P.H;
  let row = first(P.t) + b;
  if (b >= members(P.t) || row >= P.rows) { return; }
  let at = row * ${G}u * P.H + u;
  let gate = P.gates + at;
  let to = P.dgates + at;
  let d = dh[P.dh + i]${" + dy[P.dy + row * P.lddy + u]" if dy else ""};
#if cell == "lstm"
  let i_gate = gates[gate];
  let f_gate = gates[gate + P.H];
  let g_gate = gates[gate + 2u * P.H];
  let o_gate = gates[gate + 3u * P.H];
  let squashed = m_tanh(kept[P.kept + row * P.H + u]);
  let slope = dc[P.dc + i] + d * o_gate * (1.0 - squashed * squashed);
  dgates[to] = slope * g_gate * (i_gate * (1.0 - i_gate));
  dgates[to + P.H] = slope * before[P.before + row * P.H + u] * (f_gate * (1.0 - f_gate));
  dgates[to + 2u * P.H] = slope * i_gate * (1.0 - g_gate * g_gate);
  dgates[to + 3u * P.H] = d * squashed * (o_gate * (1.0 - o_gate));
  dc[P.dc + i] = slope * f_gate;
  dh[P.dh + i] = 0.0;
#elif cell == "gru"
  let r_gate = gates[gate];
  let z_gate = gates[gate + P.H];
  let n_gate = gates[gate + 2u * P.H];
  let dn = d * (1.0 - z_gate) * (1.0 - n_gate * n_gate);
  let dr = dn * kept[P.kept + row * P.H + u] * (r_gate * (1.0 - r_gate));
  let dz = d * (before[P.before + row * P.H + u] - n_gate) * (z_gate * (1.0 - z_gate));
  dgates[to] = dr;
  dgates[to + P.H] = dz;
  dgates[to + 2u * P.H] = dn;
  let hidden = P.dhidden + at;
  dhidden[hidden] = dr;
  dhidden[hidden + P.H] = dz;
  dhidden[hidden + 2u * P.H] = dn * r_gate;
  dh[P.dh + i] = d * z_gate;
#else
  let v = gates[gate];
  dgates[to] = ${"d * (1.0 - v * v)" if cell == "tanh" else "select(d, 0.0, v <= 0.0 && !is_nan(v))"};
  dh[P.dh + i] = 0.0;
#end
}
