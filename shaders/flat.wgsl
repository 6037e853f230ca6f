// The frame of a kernel that computes each element of a dense `out` (P.n elements of 4 bytes) by
// itself, for `#include flat`.
//
// The section defines value(i): the i-th element, or the i-th vector of four where V is 4 (T is the
// type, of all buffers alike). A workgroup of ${W} takes ${U} times ${W} of them, all loaded before
// the first is stored. A last vector that is not full keeps what is behind P.n.
fn store(i: u32, v: ${T}) {
#if V == 4
  let rest = P.n - 4u * i;
  if (rest < 4u) {
    out[P.out + i] = select(out[P.out + i], v, vec4u(0u, 1u, 2u, 3u) < vec4u(rest));
    return;
  }
#end
  out[P.out + i] = v;
}

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let count = P.n / ${V}u + u32(P.n % ${V}u != 0u);
  let first = group_index(wid, nwg) * ${W * U}u + lid;
  let last = count - 1u;
#for u in range(U)
  let v${u} = value(min(first + ${W * u}u, last));
#end
#for u in range(U)
  if (first + ${W * u}u < count) { store(first + ${W * u}u, v${u}); }
#end
}
