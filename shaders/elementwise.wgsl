// Elementwise kernels: unary and its backward, binary (with one number too), where.
//
// In: operands of P.n elements, or fewer that are broadcast. Out: `out`, dense. Dispatch: elements
// / (W * U * V); flat.wgsl has the frame. unary and unary_backward work on float32; the others on
// 32-bit words, so that operands of any dtype may share a buffer. E is the type that an operation
// computes in. Broadcasting: where every operand is one of
//   dense   its element i
//   row     repeats its rows: element i % size
//   column  repeats each of its elements: element i / size
//   one     a single number
//   scalar  a number out of the parameters
// the kernel is flat and may take vectors of four (the sizes then count vectors); anything else
// goes through the _strided sections.
#if op in ("exp", "log", "tanh", "sigmoid", "gelu", "gelu_tanh", "silu", "sin", "cos", "pow", "floordiv", "remainder")
#include math
#end
#if op in ("floordiv", "remainder") and E == "f32"
#include truncated_remainder
#end
#include flat

#for name, mode in zip(operands, modes) if modes else ()
fn load_${name}(i: u32) -> ${T} {
#if mode == "dense"
  return ${name}[P.${name} + i];
#elif mode == "row"
  return ${name}[P.${name} + (P.first + i) % P.${name}_size];
#elif mode == "one"
  return ${T}(${name}[P.${name}]${".x" if V == 4 else ""});
#elif mode == "column"
  let element = (P.first + i) / P.${name}_size;
#if V == 4
  return vec4u(${name}[P.${name} + element / 4u][element % 4u]);
#else
  return ${name}[P.${name} + element];
#end
#elif mode == "scalar"
  return ${T}(P.scalar);
#end
}
#end

#if binary
#if E == "f32"
fn ordered(a: f32, b: f32) -> bool { return !(is_nan(a) || is_nan(b)); }
#end

#if op in ("floordiv", "remainder") and E == "f32"
// Python's, with PyTorch's special cases (c10::div_floor_floating).
fn remainder_of(a: f32, b: f32) -> f32 {
  let r = truncated_remainder(a, b);
  return select(r, r + b, r != 0.0 && (b < 0.0) != (r < 0.0));
}
fn floor_divide(a: f32, b: f32) -> f32 {
  if (b == 0.0) { return a / b; }
  let r = truncated_remainder(a, b);
  let quotient = (a - r) / b - select(0.0, 1.0, r != 0.0 && (b < 0.0) != (r < 0.0));
  return select(round(quotient), quotient, is_nan(quotient));
}
#elif op in ("floordiv", "remainder")
// Python's signs. WGSL defines a / 0 as a and a % 0 as 0; NumPy has 0 for both.
fn remainder_of(a: i32, b: i32) -> i32 {
  let r = a % b;
  return select(r, r + b, r != 0 && (b < 0) != (r < 0));
}
fn floor_divide(a: i32, b: i32) -> i32 {
  let q = a / b - i32(a % b != 0 && (a < 0) != (b < 0));
  return select(q, 0, b == 0);
}
#end

#if flag
// Of int64, which is held in 32 bits: whether the result leaves them.
fn overflows(a: i32, b: i32) -> bool {
#if op == "add"
  return ((a ^ (a + b)) & (b ^ (a + b))) < 0;
#elif op == "sub"
  return ((a ^ b) & (a ^ (a - b))) < 0;
#elif op == "mul"
  // By float32: a product that wraps is off by 2^32 at least, a rounded one by 2^7 at most.
  return abs(f32(a) * f32(b) - f32(a * b)) > 1e9;
#elif op == "floordiv"
  return b == -1 && a == -2147483647 - 1;
#else
  return a != 0 && (b > 31 || ((a << (u32(b) & 31u)) >> (u32(b) & 31u)) != a);
#end
}
#end

fn apply(u: u32, v: u32) -> u32 {
  let a = bitcast<${E}>(u);
  let b = bitcast<${E}>(v);
#if flag
  if (overflows(a, b)) { atomicMax(&flag[P.flag], ${kernel_id + 1 + (1 << 16)}u); }
#end
#if op == "add"
  return bitcast<u32>(a + b);
#elif op == "sub"
  return bitcast<u32>(a - b);
#elif op == "mul"
  return bitcast<u32>(a * b);
#elif op == "div"
  return bitcast<u32>(a / b);
#elif op == "pow"
  return bitcast<u32>(m_pow(a, b));
#elif op == "square"
  return bitcast<u32>(a * a);
#elif op == "cube"
  return bitcast<u32>(a * a * a);
#elif op == "maximum" and E == "f32"
  // By the bits: a driver makes a maximum of the plain comparison, and a maximum drops NaN.
  return select(v, u, (a > b && !is_nan(b)) || is_nan(a));
#elif op == "minimum" and E == "f32"
  return select(v, u, (a < b && !is_nan(b)) || is_nan(a));
#elif op in ("maximum", "minimum")
  return bitcast<u32>(${op[:3]}(a, b));
#elif op == "floordiv"
  return bitcast<u32>(floor_divide(a, b));
#elif op == "remainder"
  return bitcast<u32>(remainder_of(a, b));
#elif op in ("bitand", "bitor", "bitxor")
  return bitcast<u32>(a ${sign} b);
#elif op == "lshift"
  return bitcast<u32>(a << (u32(b) & 31u));
#elif op == "rshift" and wide
  return bitcast<u32>(a >> min(u32(b), 31u));
#elif op == "rshift"
  return bitcast<u32>(a >> (u32(b) & 31u));
#elif op == "ne" and E == "f32"
  return u32(a != b || !ordered(a, b));
#elif op == "ne"
  return u32(a != b);
#elif E == "f32"
  return u32(a ${sign} b && ordered(a, b));
#else
  return u32(a ${sign} b);
#end
}
#end

//! shader unary
//! buffers out:w:${T} x:r:${T}
//! params n:u32
fn apply(x: f32) -> f32 {
#if op == "neg"
  return -x;
#elif op == "abs"
  return abs(x);
#elif op == "square"
  return x * x;
#elif op == "reciprocal"
  return 1.0 / x;
#elif op == "sqrt"
  return select(sqrt(x), x, x == 0.0);
#elif op == "rsqrt"
  return 1.0 / select(sqrt(x), x, x == 0.0);
#elif op == "relu"
  // By the bits: a driver makes a maximum of the plain comparison, and a maximum drops NaN.
  return select(x, 0.0, bitcast<u32>(x) - 0x80000000u <= 0x7f800000u);
#else
  return m_${op}(x);
#end
}

fn value(i: u32) -> ${T} {
  let v = x[P.x + i];
#if V == 4
  return vec4f(apply(v.x), apply(v.y), apply(v.z), apply(v.w));
#else
  return apply(v);
#end
}

//! shader unary_backward
//! buffers out:w:${T} dy:r:${T} saved:r:${T}
//! params n:u32
// The derivative by the input, from the input x or the output y, whichever the contract saves.
fn apply(d: f32, s: f32) -> f32 {
#if op == "abs"
  return d * select(select(select(0.0, -1.0, s < 0.0), 1.0, s > 0.0), 0.0, is_nan(s));
#elif op == "square"
  return d * (s + s);
#elif op == "reciprocal"
  return -d * (s * s);
#elif op == "exp"
  return d * s;
#elif op == "log"
  return d / s;
#elif op == "sqrt"
  return d / (s + s);
#elif op == "rsqrt"
  return (-0.5 * d) * (s * (s * s));
#elif op == "tanh"
  return d * fma(-s, s, 1.0);
#elif op == "sigmoid"
  return d * (s * (1.0 - s));
#elif op == "relu"
  // By the bits, as above: 0 up to 0, d at NaN.
  let bits = bitcast<u32>(s);
  return select(d, 0.0, bits == 0u || bits - 0x80000000u <= 0x7f800000u);
#elif op == "sin"
  return d * m_cos(s);
#elif op == "cos"
  return -d * m_sin(s);
#else
  return d * m_${op}_grad(s);
#end
}

fn value(i: u32) -> ${T} {
  let d = dy[P.dy + i];
  let s = saved[P.saved + i];
#if V == 4
  return vec4f(apply(d.x, s.x), apply(d.y, s.y), apply(d.z, s.z), apply(d.w, s.w));
#else
  return apply(d, s);
#end
}

//! shader binary
//! buffers out:w:${T} a?:r:${T} b?:r:${T} flag?:w:atomic<u32>
//! params n:u32 first:u32 a_size:u32 b_size:u32 scalar:u32
fn value(i: u32) -> ${T} {
  let u = load_a(i);
  let v = load_b(i);
#if V == 4
  return vec4u(apply(u.x, v.x), apply(u.y, v.y), apply(u.z, v.z), apply(u.w, v.w));
#else
  return apply(u, v);
#end
}

//! shader binary_strided
//! buffers out:w:u32 a:r:u32 b:r:u32 flag?:w:atomic<u32>
//! params n:u32 ${" ".join("n%d:u32 a%d:u32 b%d:u32" % (d, d, d) for d in range(rank))}
fn value(i: u32) -> u32 {
  var rest = i;
  var u = P.a;
  var v = P.b;
#for d in range(rank - 1, 0, -1)
  u += rest % P.n${d} * P.a${d};
  v += rest % P.n${d} * P.b${d};
  rest /= P.n${d};
#end
  return apply(a[u + rest * P.a0], b[v + rest * P.b0]);
}

//! shader where
//! buffers out:w:${T} cond:r:${T} a:r:${T} b:r:${T}
//! params n:u32 first:u32 cond_size:u32 a_size:u32 b_size:u32
fn value(i: u32) -> ${T} {
  return select(load_b(i), load_a(i), load_cond(i) != ${T}(0u));
}

//! shader where_strided
//! buffers out:w:u32 cond:r:u32 a:r:u32 b:r:u32
//! params n:u32 ${" ".join("n%d:u32 c%d:u32 a%d:u32 b%d:u32" % (d, d, d, d) for d in range(rank))}
fn value(i: u32) -> u32 {
  var rest = i;
  var t = P.cond;
  var u = P.a;
  var v = P.b;
#for d in range(rank - 1, 0, -1)
  t += rest % P.n${d} * P.c${d};
  u += rest % P.n${d} * P.a${d};
  v += rest % P.n${d} * P.b${d};
  rest /= P.n${d};
#end
  return select(b[v + rest * P.b0], a[u + rest * P.a0], cond[t + rest * P.c0] != 0u);
}
