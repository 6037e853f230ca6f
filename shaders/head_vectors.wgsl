// The D numbers of a head as vec4, for `#include head_vectors`. `loads` names the buffers that are
// read so, `stores` those that are written so. With `vec` the buffers are arrays of vec4 (D is a
// multiple of four and every head begins on 16 bytes), else of f32; `at`, where a head begins,
// counts elements of the array.
const LOG2E = 1.44269504;
const HEAD_VECTORS = ${HEAD_VECTORS}u;

#for name in loads
// Vector c of a head, zero beyond its D numbers.
fn load_${name}(at: u32, c: u32) -> vec4f {
#if vec
  return ${name}[at + c];
#else
  let d = 4u * c;
  var x = vec4f(${name}[at + d], 0.0, 0.0, 0.0);
  if (d + 1u < ${D}u) { x.y = ${name}[at + d + 1u]; }
  if (d + 2u < ${D}u) { x.z = ${name}[at + d + 2u]; }
  if (d + 3u < ${D}u) { x.w = ${name}[at + d + 3u]; }
  return x;
#end
}
#end
#for name in stores
fn store_${name}(at: u32, c: u32, x: vec4f) {
#if vec
  ${name}[at + c] = x;
#else
  let d = 4u * c;
  ${name}[at + d] = x.x;
  if (d + 1u < ${D}u) { ${name}[at + d + 1u] = x.y; }
  if (d + 2u < ${D}u) { ${name}[at + d + 2u] = x.z; }
  if (d + 3u < ${D}u) { ${name}[at + d + 3u] = x.w; }
#end
}
#end

fn dot4(a: vec4f, b: vec4f, s: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, s))));
}
