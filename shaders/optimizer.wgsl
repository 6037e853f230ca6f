// Updates of the flat arenas: the gradient's norm, clipping, AdamW, SGD, and the loss scale of
// narrow operands.
//
// In: g, the gradients, and hyper, the settings of each parameter group. Out: p, the parameters,
// with their moments (m, v, buf). Dispatch: elements / 1024 or / 4096. Everything goes by vectors
// of four elements (vector i holds the elements 4i..4i+3 of P.n): as such where V is 4, else put
// together from single elements. A store keeps what is behind P.n. `arenas` names the buffers of a
// section that are read so, `written` those that are also stored.
#for name in arenas or ()
fn load_${name}(i: u32) -> vec4f {
#if V == 4
  return ${name}[P.${name} + i];
#else
  let e = P.${name} + 4u * i;
  let last = P.${name} + P.n - 1u;
  return vec4f(${name}[e], ${name}[min(e + 1u, last)], ${name}[min(e + 2u, last)], ${name}[min(e + 3u, last)]);
#end
}
#end
#for name in written or ()
fn store_${name}(i: u32, value: vec4f) {
  let rest = P.n - 4u * i;
#if V == 4
  if (rest < 4u) {
    ${name}[P.${name} + i] = select(${name}[P.${name} + i], value, vec4u(0u, 1u, 2u, 3u) < vec4u(rest));
    return;
  }
  ${name}[P.${name} + i] = value;
#else
#for c in range(4)
  if (rest > ${c}u) { ${name}[P.${name} + 4u * i + ${c}u] = value.${"xyzw"[c]}; }
#end
#end
}
#end

fn is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

// torch.nn.utils.clip_grad_norm_'s coefficient.
fn clip_coefficient(norm: f32, max_norm: f32) -> f32 {
  let c = max_norm / (norm + 1e-6);
  return select(select(1.0, c, c < 1.0), nan(), is_nan(norm));
}

//! shader global_norm
//! buffers part:w:f32 g:r:${"vec4<f32>" if V == 4 else "f32"}
//! params n:u32 count:u32 groups:u32 first:u32 total:u32
// The sum of squares of one workgroup's share: part[first + group], and part[total + first +
// group], the power of 2^160 that scales it: 1, 0 or -1. Squares of float32 reach beyond float32 on
// both sides (Blue 1978), and a share that does is summed again with all its elements scaled. Sums
// are cut into blocks of at most 32 vectors, so no chain of additions is long.
#include workgroup
fn squares(i: u32, scale: f32) -> vec4f {
  if (i >= P.count) { return vec4f(); }
  let v = select(vec4f(), load_g(i) * scale, vec4u(0u, 1u, 2u, 3u) < vec4u(P.n - 4u * i));
  return v * v;
}
fn sum_of_squares(first: u32, scale: f32) -> f32 {
  let step = P.groups * ${W}u;
  var total = vec4f();
  var i = first;
  while (i < P.count) {
    var block = vec4f();
    for (var k = 0u; k < 8u && i < P.count; k++) {
      block += (squares(i, scale) + squares(i + step, scale))
          + (squares(i + 2u * step, scale) + squares(i + 3u * step, scale));
      i += 4u * step;
    }
    total += block;
  }
  return (total.x + total.y) + (total.z + total.w);
}

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lid: u32) {
  let first = wid.x * ${W}u + lid;
  let plain = workgroup_sum(sum_of_squares(first, 1.0), lid);
  // 2^-70, 2^100: what is lost within is nothing beside the sum.
  let fits = plain > 8.4703295e-22 && plain < 1.2676506e30;
  let small = plain < 1.0;
  var again = 0.0;
  if (!fits) { again = sum_of_squares(first, select(8.2718061e-25, 1.2089258e24, small)); }  // 2^-80, 2^80
  let scaled = workgroup_sum(again, lid);
  if (lid == 0u) {
    part[P.part + P.first + wid.x] = select(scaled, plain, fits);
    part[P.part + P.total + P.first + wid.x] = select(select(1.0, -1.0, small), 0.0, fits);
  }
}

//! shader norm_of_parts
//! buffers out:w:f32 part:r:f32
//! params total:u32
#include workgroup
@compute @workgroup_size(${W})
fn main(@builtin(local_invocation_index) lid: u32) {
  var sums = vec3f();  // of the large, ordinary and small shares
  for (var i = lid; i < P.total; i += ${W}u) {
    let value = part[P.part + i];
    let power = part[P.part + P.total + i];
    sums += select(vec3f(), vec3f(value), vec3f(power) == vec3f(1.0, 0.0, -1.0));
  }
  let large = workgroup_sum(sums.x, lid);
  let ordinary = workgroup_sum(sums.y, lid);
  let small = workgroup_sum(sums.z, lid);
  if (lid == 0u) {
    // Roots first: a compiler may multiply two constants, and 2^-160 is none.
    let root = sqrt(vec3f(large, ordinary, small)) * vec3f(1.0, 8.2718061e-25, 8.2718061e-25);
    if (is_nan(large) || large > 0.0) {
      let ratio = root.y / root.x;
      out[P.out] = root.x * sqrt(1.0 + ratio * ratio) * 1.2089258e24;
    } else if (ordinary > 0.0) {
      let ratio = root.z / sqrt(ordinary);
      out[P.out] = sqrt(ordinary) * sqrt(1.0 + ratio * ratio);
    } else {
      out[P.out] = root.z;
    }
  }
}

//! shader clip_scale
//! buffers g:w:${"vec4<f32>" if V == 4 else "f32"} norm:r:f32
//! params n:u32 max_norm:f32
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let c = clip_coefficient(norm[P.norm], P.max_norm);
  if (c == 1.0) { return; }
  let first = group_index(wid, nwg) * ${256 * U}u + lid;
#for u in range(U)
  if (4u * (first + ${256 * u}u) < P.n) { store_g(first + ${256 * u}u, load_g(first + ${256 * u}u) * c); }
#end
}

//! shader adamw
//! buffers p:w:${"vec4<f32>" if V == 4 else "f32"} m:w:${"vec4<f32>" if V == 4 else "f32"}
//! buffers v:w:${"vec4<f32>" if V == 4 else "f32"}
//! buffers g:${"w" if clip_norm else "r"}:${"vec4<f32>" if V == 4 else "f32"} hyper:r:u32 norm?:r:f32 clip_norm?:r:f32
//! params n:u32 first:u32 groups:u32 max_norm:f32
// n elements from element `first` of the launch. The order of operations is PyTorch's
// (torch/optim/adamw.py: lerp, addcmul, addcdiv).
struct Settings {
  until: u32,  // the settings serve every vector from here on that ends before this element
  inside: vec4<bool>,  // the element belongs to a group
  decay: vec4f,
  take1: vec4f,
  keep2: vec4f,
  take2: vec4f,
  eps: vec4f,
  step: vec4f,
  correction2: vec4f,
}

// The group of an element: the first whose end is behind it; P.groups where there is none.
fn group_of(e: u32) -> u32 {
  var k = 0u;
  while (k < P.groups && bitcast<i32>(hyper[P.hyper + 8u * k]) <= i32(e)) { k++; }
  return k;
}
fn word(group: vec4u, i: u32) -> vec4f {
  let at = vec4u(P.hyper + i) + 8u * group;
  return bitcast<vec4f>(vec4u(hyper[at.x], hyper[at.y], hyper[at.z], hyper[at.w]));
}
fn settings_of(e: u32) -> Settings {
  var group = vec4u(group_of(e));
  var until = 0u;
  if (group.x < P.groups) { until = u32(max(bitcast<i32>(hyper[P.hyper + 8u * group.x]), 0)); }
  if (e + 3u >= until) {
    until = 0u;
    group = vec4u(group.x, group_of(e + 1u), group_of(e + 2u), group_of(e + 3u));
  }
  let inside = group < vec4u(P.groups);
  group = min(group, vec4u(P.groups - 1u));
  let lr = word(group, 1u);
  let beta2 = word(group, 3u);
  return Settings(until, inside, 1.0 - lr * word(group, 5u), 1.0 - word(group, 2u), beta2, 1.0 - beta2, word(group, 4u),
                  lr / word(group, 6u), 1.0 / word(group, 7u));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let first = group_index(wid, nwg) * ${256 * U}u + lid;
  let count = (P.n - 1u) / 4u + 1u;
  if (first >= count) { return; }
#for u in range(U)
  let i${u} = first + ${256 * u}u;
  let at${u} = min(i${u}, count - 1u);
  var g${u} = load_g(at${u});
  var p${u} = load_p(at${u});
  var m${u} = load_m(at${u});
  var v${u} = load_v(at${u});
#end
#if clip_norm
  let c = clip_coefficient(clip_norm[P.clip_norm], P.max_norm);
  if (c != 1.0) {
#for u in range(U)
    g${u} *= c;
    if (i${u} < count) { store_g(i${u}, g${u}); }
#end
  }
#end
#if norm
  if (!is_finite(norm[P.norm])) { return; }
#end
  var s = settings_of(P.first + 4u * first);
#for u in range(U)
  if (i${u} < count) {
#if u
    if (P.first + 4u * i${u} + 3u >= s.until) { s = settings_of(P.first + 4u * i${u}); }
#end
    let new_m = m${u} + s.take1 * (g${u} - m${u});
    let new_v = s.keep2 * v${u} + s.take2 * g${u} * g${u};
    let new_p = p${u} * s.decay - s.step * new_m / (sqrt(new_v) * s.correction2 + s.eps);
    store_m(i${u}, select(m${u}, new_m, s.inside));
    store_v(i${u}, select(v${u}, new_v, s.inside));
    store_p(i${u}, select(p${u}, new_p, s.inside));
  }
#end
}

//! shader sgd
//! buffers p:w:${"vec4<f32>" if V == 4 else "f32"} buf?:w:${"vec4<f32>" if V == 4 else "f32"}
//! buffers g:r:${"vec4<f32>" if V == 4 else "f32"}
//! buffers hyper:r:u32 norm?:r:f32
//! params n:u32 first:u32 groups:u32
fn group_of(e: u32) -> u32 {
  var k = 0u;
  while (k < P.groups && bitcast<i32>(hyper[P.hyper + 8u * k]) <= i32(e)) { k++; }
  return k;
}
fn word(group: vec4u, i: u32) -> vec4f {
  let at = vec4u(P.hyper + i) + 8u * group;
  return bitcast<vec4f>(vec4u(hyper[at.x], hyper[at.y], hyper[at.z], hyper[at.w]));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 256u + lid;
  if (4u * i >= P.n) { return; }
#if norm
  if (!is_finite(norm[P.norm])) { return; }
#end
  let e = P.first + 4u * i;
  var group = vec4u(group_of(e), group_of(e + 1u), group_of(e + 2u), group_of(e + 3u));
  let inside = group < vec4u(P.groups);
  group = min(group, vec4u(P.groups - 1u));
  let value = load_p(i);
  var d = load_g(i) + word(group, 4u) * value;
#if buf
  let momentum = word(group, 2u);
  let before = load_buf(i);
  let kept = select(momentum * before + (1.0 - word(group, 3u)) * d, d, word(group, 6u) != vec4f());
  store_buf(i, select(before, kept, inside));
  d = select(kept, d + momentum * kept, word(group, 5u) != vec4f());
#end
  store_p(i, select(value, value - word(group, 1u) * d, inside));
}

//! shader adam
//! buffers p:w:${"vec4<f32>" if V == 4 else "f32"} m:w:${"vec4<f32>" if V == 4 else "f32"}
//! buffers v:w:${"vec4<f32>" if V == 4 else "f32"} largest?:w:${"vec4<f32>" if V == 4 else "f32"}
//! buffers g:r:${"vec4<f32>" if V == 4 else "f32"} hyper:r:f32
//! params n:u32
// hyper: decay, weight_decay, 1 - beta1, beta2, 1 - beta2, eps, step, scale.
fn word(i: u32) -> f32 { return hyper[P.hyper + i]; }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 256u + lid;
  if (4u * i >= P.n) { return; }
  let before = load_p(i) * word(0u);
  var d = load_g(i);
  if (word(1u) != 0.0) { d += word(1u) * before; }
  let apart = d - load_m(i);
  let new_m = select(d + (word(2u) - 1.0) * apart, load_m(i) + word(2u) * apart, word(2u) < 0.5);
  var new_v = word(3u) * load_v(i) + word(4u) * d * d;
  store_m(i, new_m);
  store_v(i, new_v);
#if largest
  new_v = max(load_largest(i), new_v);
  store_largest(i, new_v);
#end
  store_p(i, before + word(6u) * new_m / (sqrt(new_v) * word(7u) + word(5u)));
}

//! shader loss_scale
//! buffers scale:w:f32 norm:r:f32
//! params
// scale, 1 / scale, steps since the last change: the rule of torch.amp.GradScaler, with bounds. One
// invocation.
@compute @workgroup_size(1)
fn main() {
  var s = scale[P.scale];
  var good = scale[P.scale + 2u] + 1.0;
  if (!is_finite(norm[P.norm])) {
    s = max(0.5 * s, 1.0);
    good = 0.0;
  } else if (good >= 2000.0) {
    s = min(2.0 * s, 65536.0);
    good = 0.0;
  }
  scale[P.scale] = s;
  scale[P.scale + 1u] = 1.0 / s;
  scale[P.scale + 2u] = good;
}
