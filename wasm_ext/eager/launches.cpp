// Launches: any (graph/program.py), and ops that make their result and launch one kernel
// (ops/elementwise.py, ops/reduce.py, ops/matmul.py). The slots are those of the plain version.
#include "eager.h"

enum { DIMS = 6 };  // sizes and strides of the strided kernels

static bool refuse(int status, PyObject* kernel) {
  PyObject* name = PyObject_GetAttrString(kernel, "name");
  PyObject* error = name ? PyObject_CallFunction(known.status_error, "iO", status, name) : nullptr;
  Py_XDECREF(name);
  if (!error) return false;
  PyErr_SetObject((PyObject*)Py_TYPE(error), error);
  Py_DECREF(error);
  return false;
}

bool run(const Slot* slots, int64_t kernel, int64_t bytes) {
  int status;
  if (bytes < RELEASE_BYTES) {
    status = known.run(slots, known.kernels[kernel].slots);
  } else {
    Py_BEGIN_ALLOW_THREADS status = known.run(slots, known.kernels[kernel].slots);
    Py_END_ALLOW_THREADS
  }
  return status == 0 || refuse(status, known.kernels[kernel].object);
}

// Gives back `made` where the launch succeeds.
static PyObject* launched(PyObject* made, Slot* slots, int64_t kernel, int64_t bytes) {
  slots[0].i = kernel, slots[1].i = known.kernels[kernel].slots;
  if (run(slots, kernel, bytes)) return made;
  Py_DECREF(made);
  return nullptr;
}

// The code of an op by its name; false where there is none.
static bool code_of(PyObject* codes, PyObject* name, int64_t* code) {
  return PyUnicode_CheckExact(name) && whole(PyDict_GetItem(codes, name), code);
}

// launch(kernel, tensors, params)
IMPLEMENTATION(eager_launch) {
  if (!known.ready || keywords || PyVectorcall_NARGS(flags) != 3 || capturing()) return PLAIN();
  static PyObject* id_name = PyUnicode_InternFromString("id");
  PyObject *kernel = arguments[0], *tensors = arguments[1], *params = arguments[2];
  bool listed = PyList_Check(tensors), params_listed = PyList_Check(params);
  if ((!listed && !PyTuple_Check(tensors)) || (!params_listed && !PyTuple_Check(params))) return PLAIN();
  PyObject* id_object = PyObject_GetAttr(kernel, id_name);
  int64_t id;
  bool found = whole(id_object, &id);
  Py_XDECREF(id_object);
  if (!found) {
    PyErr_Clear();
    return PLAIN();
  }
  if (id < 0 || id >= known.kernel_count) return PLAIN();
  const KernelFacts& facts = known.kernels[id];
  Py_ssize_t n = Py_SIZE(tensors), m = Py_SIZE(params);
  if (facts.object != kernel || !facts.slots || n != facts.buffers || m != facts.params) return PLAIN();
  Slot slots[MAX_SLOTS];
  slots[0].i = id, slots[1].i = facts.slots;
  int64_t bytes = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* x = listed ? PyList_GET_ITEM(tensors, i) : PyTuple_GET_ITEM(tensors, i);
    int64_t &address = slots[2 + i].i, offset, size;
    if (x == Py_None && i) {
      address = 0;
      continue;
    }
    if (!is_tensor(x)) return PLAIN();
    PyObject* storage = SLOT(x, known.t.storage);
    const Dtype* dtype = dtype_of(SLOT(x, known.t.dtype));
    if (!dtype || !storage_address(storage, &address) || !whole(SLOT(x, known.t.offset), &offset)) return PLAIN();
    if (facts.written[i] && SLOT(storage, known.s.int8) != Py_None) return PLAIN();
    if (whole(SLOT(storage, known.s.nbytes), &size) && size > bytes) bytes = size;
    address += offset * dtype->itemsize;
  }
  for (Py_ssize_t i = 0; i < m; i++) {
    PyObject* value = params_listed ? PyList_GET_ITEM(params, i) : PyTuple_GET_ITEM(params, i);
    Slot& slot = slots[2 + n + i];
    if (facts.kinds[i] == 'q') {
      if (!PyLong_Check(value)) return PLAIN();
      int overflow;
      slot.i = PyLong_AsLongLongAndOverflow(value, &overflow);
      if (overflow) return PLAIN();
    } else if (PyFloat_Check(value)) {
      slot.f = PyFloat_AS_DOUBLE(value);
    } else {
      if (!PyLong_Check(value)) return PLAIN();
      slot.f = PyLong_AsDouble(value);
      if (slot.f == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return PLAIN();
      }
    }
  }
  if (!run(slots, id, bytes)) return nullptr;
  Py_RETURN_NONE;
}

// Argument `i`, or the keyword `name`; null where neither is given. used: counts keywords.
static PyObject* argument(PyObject* const* arguments, size_t flags, PyObject* keywords, Py_ssize_t i, const char* name,
                          Py_ssize_t* used) {
  Py_ssize_t given = PyVectorcall_NARGS(flags);
  if (i < given) return arguments[i];
  for (Py_ssize_t k = 0; keywords && k < PyTuple_GET_SIZE(keywords); k++)
    if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, k), name) == 0) {
      ++*used;
      return arguments[given + k];
    }
  return nullptr;
}
#define ARGUMENT(i, name) argument(arguments, flags, keywords, i, name, &used)
#define ALL_USED() (used == (keywords ? PyTuple_GET_SIZE(keywords) : 0))

// Sizes and strides as kernels.merged_dims makes them of a dense output, without its strides; false
// where there are too many.
static bool merge(int rank, const int64_t* n, const int64_t* out, const int64_t* x, const int64_t* y, Slot* slots) {
  int kept = 0;
  int64_t sizes[MOST_DIMS], p[MOST_DIMS], q[MOST_DIMS], r[MOST_DIMS];
  for (int d = 0; d < rank; d++) {
    if (n[d] == 1) continue;
    if (kept && r[kept - 1] == out[d] * n[d] && p[kept - 1] == x[d] * n[d] && q[kept - 1] == y[d] * n[d]) {
      sizes[kept - 1] *= n[d];
      p[kept - 1] = x[d], q[kept - 1] = y[d], r[kept - 1] = out[d];
    } else {
      sizes[kept] = n[d], p[kept] = x[d], q[kept] = y[d], r[kept] = out[d];
      kept++;
    }
  }
  if (kept > DIMS) return false;
  for (int d = 0; d < DIMS; d++) {
    int from = d - (DIMS - kept);
    slots[d].i = from < 0 ? 1 : sizes[from];
    slots[DIMS + d].i = from < 0 ? 0 : p[from];
    slots[2 * DIMS + d].i = from < 0 ? 0 : q[from];
  }
  return true;
}

// binary(name, a, b, dtype=None)
IMPLEMENTATION(eager_binary) {
  Py_ssize_t used = 0, given = PyVectorcall_NARGS(flags);
  PyObject* kind = ARGUMENT(3, "dtype");
  View a, b;
  int64_t op;
  if (given < 3 || given > 4 || !ALL_USED() || !a.read(arguments[1]) || !b.read(arguments[2]) || capturing())
    return PLAIN();
  if (a.dtype != b.dtype || !a.dtype->direct || !code_of(known.binary_codes, arguments[0], &op)) return PLAIN();
  const Dtype* dtype = !kind || kind == Py_None ? a.dtype : dtype_of(kind);
  if (!dtype || !a.numel || !b.numel) return PLAIN();
  int rank = a.rank > b.rank ? a.rank : b.rank;
  int64_t n[MOST_DIMS], x[MOST_DIMS], y[MOST_DIMS], out[MOST_DIMS], total = 1;
  bool as_a = rank == a.rank, as_b = rank == b.rank;
  for (int d = rank - 1; d >= 0; d--) {
    int i = d - rank + a.rank, j = d - rank + b.rank;
    int64_t na = i >= 0 ? a.n[i] : 1, nb = j >= 0 ? b.n[j] : 1;
    if (na != nb && na != 1 && nb != 1) return PLAIN();  // it refuses
    n[d] = na == 1 ? nb : na;
    x[d] = na == 1 ? 0 : a.step[i], y[d] = nb == 1 ? 0 : b.step[j], out[d] = total;
    as_a &= n[d] == na, as_b &= n[d] == nb;
    if (__builtin_mul_overflow(total, n[d], &total)) return PLAIN();
  }
  Slot slots[MAX_SLOTS];
  if (!merge(rank, n, out, x, y, slots + 7)) return PLAIN();
  PyObject* shape = as_a ? Py_NewRef(a.shape) : as_b ? Py_NewRef(b.shape) : tuple_of(n, rank);
  if (!shape) return nullptr;
  int64_t address;
  PyObject* made = new_tensor(shape, n, rank, dtype, &address);
  Py_DECREF(shape);
  if (!made) return nullptr;
  slots[2].i = address, slots[3].i = a.address, slots[4].i = b.address, slots[5].i = op, slots[6].i = a.dtype->code;
  return launched(made, slots, known.binary, total * dtype->itemsize);
}

// in_place(name, a, b): a is dense and no view, b is in other memory, and neither needs a gradient
IMPLEMENTATION(eager_in_place) {
  View a, b;
  int64_t op, version;
  if (keywords || PyVectorcall_NARGS(flags) != 3 || !a.read(arguments[1]) || !b.read(arguments[2]) || capturing())
    return PLAIN();
  if (a.dtype != b.dtype || !a.dtype->direct || !a.dtype->floating || !a.dense || !a.numel || a.storage == b.storage)
    return PLAIN();
  PyObject* const both[] = {a.object, b.object};
  for (PyObject* x : both)
    if (SLOT(x, known.t.base) != Py_None || SLOT(x, known.t.requires_grad) != Py_False) return PLAIN();
  if (!code_of(known.binary_codes, arguments[0], &op) || SLOT(a.storage, known.s.int8) != Py_None) return PLAIN();
  int same = PyObject_RichCompareBool(SLOT(a.storage, known.s.uid), SLOT(b.storage, known.s.uid), Py_EQ);
  if (same || b.rank > a.rank || !whole(SLOT(a.storage, known.s.version), &version))
    return same < 0 ? nullptr : PLAIN();
  int64_t y[MOST_DIMS];
  for (int d = 0; d < a.rank; d++) {
    int i = d - a.rank + b.rank;
    if (i >= 0 && b.n[i] != 1 && b.n[i] != a.n[d]) return PLAIN();  // it refuses
    y[d] = i < 0 || b.n[i] == 1 ? 0 : b.step[i];
  }
  Slot slots[MAX_SLOTS];
  if (!merge(a.rank, a.n, a.step, a.step, y, slots + 7)) return PLAIN();
  slots[2].i = slots[3].i = a.address, slots[4].i = b.address, slots[5].i = op, slots[6].i = a.dtype->code;
  PyObject* made = launched(Py_NewRef(a.object), slots, known.binary, a.numel * a.dtype->itemsize);
  if (made) replace(&SLOT(a.storage, known.s.version), PyLong_FromLongLong(version + 1));
  return made;
}

// binary_scalar(name, a, scalar, reverse=False, dtype=None)
IMPLEMENTATION(eager_binary_scalar) {
  Py_ssize_t used = 0, given = PyVectorcall_NARGS(flags);
  PyObject *reverse = ARGUMENT(3, "reverse"), *kind = ARGUMENT(4, "dtype");
  View a;
  int64_t op, number, address;
  if (given < 3 || given > 5 || !ALL_USED() || !a.read(arguments[1]) || capturing()) return PLAIN();
  if (!a.dtype->direct || !a.dtype->floating || !a.dense || !a.numel) return PLAIN();
  if (!code_of(known.binary_codes, arguments[0], &op)) return PLAIN();
  double scalar;
  if (PyFloat_CheckExact(arguments[2])) scalar = PyFloat_AS_DOUBLE(arguments[2]);
  else if (whole(arguments[2], &number) && number < (int64_t)1 << 53 && number > -((int64_t)1 << 53))
    scalar = (double)number;
  else return PLAIN();
  if (reverse && reverse != Py_True && reverse != Py_False) return PLAIN();
  const Dtype* dtype = !kind || kind == Py_None ? a.dtype : dtype_of(kind);
  if (!dtype) return PLAIN();
  PyObject* made = new_tensor(a.shape, a.n, a.rank, dtype, &address);
  if (!made) return nullptr;
  Slot slots[MAX_SLOTS];
  slots[2].i = address, slots[3].i = a.address, slots[4].i = op, slots[5].i = a.dtype->code, slots[6].i = a.numel;
  slots[7].f = scalar, slots[8].i = reverse == Py_True;
  return launched(made, slots, known.binary_scalar, a.numel * dtype->itemsize);
}

// _unary(name, x)
IMPLEMENTATION(eager_unary) {
  View x;
  int64_t op, address;
  if (keywords || PyVectorcall_NARGS(flags) != 2 || !x.read(arguments[1]) || capturing()) return PLAIN();
  if (!x.dtype->direct || !x.dtype->floating || !x.dense || !x.numel) return PLAIN();
  if (!code_of(known.unary_codes, arguments[0], &op)) return PLAIN();
  PyObject* made = new_tensor(x.shape, x.n, x.rank, x.dtype, &address);
  if (!made) return nullptr;
  Slot slots[MAX_SLOTS];
  slots[2].i = address, slots[3].i = x.address, slots[4].i = op, slots[5].i = x.numel;
  return launched(made, slots, x.dtype->itemsize == 4 ? known.unary : known.wide_unary, x.numel * x.dtype->itemsize);
}

// _unary_backward(name, dy, saved)
IMPLEMENTATION(eager_unary_backward) {
  View dy, saved;
  int64_t op, address;
  if (keywords || PyVectorcall_NARGS(flags) != 3 || !dy.read(arguments[1]) || !saved.read(arguments[2]) || capturing())
    return PLAIN();
  if (!dy.dtype->direct || !dy.dtype->floating || !dy.dense || !saved.dense || !dy.numel) return PLAIN();
  if (saved.dtype != dy.dtype || saved.numel != dy.numel || !code_of(known.unary_codes, arguments[0], &op))
    return PLAIN();
  PyObject* made = new_tensor(dy.shape, dy.n, dy.rank, dy.dtype, &address);
  if (!made) return nullptr;
  Slot slots[MAX_SLOTS];
  slots[2].i = address, slots[3].i = dy.address, slots[4].i = saved.address, slots[5].i = op, slots[6].i = dy.numel;
  return launched(made, slots, dy.dtype->itemsize == 4 ? known.unary_backward : known.wide_unary_backward,
                  dy.numel * dy.dtype->itemsize);
}

// reduce._launch(name, x, dims, dtype), of neighbouring dimensions of a dense x
IMPLEMENTATION(eager_reduce) {
  View x;
  int64_t op, address, first, next;
  if (keywords || PyVectorcall_NARGS(flags) != 4 || !x.read(arguments[1]) || capturing()) return PLAIN();
  PyObject* dims = arguments[2];
  const Dtype* dtype = dtype_of(arguments[3]);
  if (!dtype || !x.dtype->direct || !x.dense || !x.numel || !code_of(known.reduce_codes, arguments[0], &op))
    return PLAIN();
  if (!PyTuple_CheckExact(dims) || !PyTuple_GET_SIZE(dims) || !whole(PyTuple_GET_ITEM(dims, 0), &first)) return PLAIN();
  int64_t many = PyTuple_GET_SIZE(dims), kept[MOST_DIMS], outer = 1, inner = 1, n = 1;
  for (Py_ssize_t i = 1; i < many; i++)
    if (!whole(PyTuple_GET_ITEM(dims, i), &next) || next != first + i) return PLAIN();
  if (first < 0 || first + many > x.rank) return PLAIN();
  int rank = 0;
  for (int d = 0; d < x.rank; d++) {
    bool reduced = d >= first && d < first + many;
    (reduced ? n : d < first ? outer : inner) *= x.n[d];
    if (!reduced) kept[rank++] = x.n[d];
  }
  PyObject* shape = tuple_of(kept, rank);
  PyObject* made = shape ? new_tensor(shape, kept, rank, dtype, &address) : nullptr;
  Py_XDECREF(shape);
  if (!made) return nullptr;
  Slot slots[MAX_SLOTS];
  slots[2].i = address, slots[3].i = x.address, slots[4].i = op, slots[5].i = x.dtype->code;
  slots[6].i = outer, slots[7].i = n, slots[8].i = inner;
  return launched(made, slots, known.reduce, x.numel * x.dtype->itemsize);
}

// A matrix as the kernel reads it (ops/matmul.py's _operand); false where it needs a copy.
static bool matrix(const View& x, int64_t* transposed, int64_t* leading) {
  int64_t rows = x.n[0], columns = x.n[1], row_step = x.step[0], column_step = x.step[1];
  if ((column_step == 1 || columns == 1) && (row_step >= columns || rows == 1)) {
    *transposed = 0;
    int64_t step = rows != 1 ? row_step : columns;
    *leading = step > columns ? step : columns;
    return true;
  }
  if ((row_step == 1 || rows == 1) && (column_step >= rows || columns == 1)) {
    *transposed = 1;
    int64_t step = columns != 1 ? column_step : rows;
    *leading = step > rows ? step : rows;
    return true;
  }
  return false;
}

// gemm(a, b, out=None, bias=None, alpha=1.0, gradient=False) of two matrices
IMPLEMENTATION(eager_gemm) {
  Py_ssize_t used = 0, given = PyVectorcall_NARGS(flags);
  PyObject *out = ARGUMENT(2, "out"), *bias = ARGUMENT(3, "bias"), *gradient = ARGUMENT(5, "gradient");
  View a, b, c, d;
  int64_t ta, tb, lda, ldb, address;
  if (given < 2 || given == 5 || given > 6 || !ALL_USED() || !a.read(arguments[0]) || !b.read(arguments[1]))
    return PLAIN();
  if (a.rank != 2 || b.rank != 2 || a.dtype != &known.dtypes[0] || b.dtype != a.dtype || capturing()) return PLAIN();
  if (!a.numel || !b.numel || a.n[1] != b.n[0] || !matrix(a, &ta, &lda) || !matrix(b, &tb, &ldb)) return PLAIN();
  if (out == Py_None) out = nullptr;
  if (bias == Py_None) bias = nullptr;
  if (gradient && gradient != Py_True && gradient != Py_False) return PLAIN();
  if (bias && (!d.read(bias) || !d.dense || d.numel != b.n[1] || d.dtype != a.dtype)) return PLAIN();
  int64_t n[] = {a.n[0], b.n[1]};
  if (out) {
    if (!c.read(out) || !c.dense || c.numel != n[0] * n[1] || c.dtype != a.dtype) return PLAIN();
    if (SLOT(c.storage, known.s.int8) != Py_None) return PLAIN();
    address = c.address;
    Py_INCREF(out);
  } else {
    PyObject* shape = tuple_of(n, 2);
    out = shape ? new_tensor(shape, n, 2, a.dtype, &address) : nullptr;
    Py_XDECREF(shape);
    if (!out) return nullptr;
  }
  Slot slots[MAX_SLOTS];
  slots[2].i = address, slots[3].i = a.address, slots[4].i = b.address, slots[5].i = bias ? d.address : 0;
  slots[6].i = slots[7].i = 0;
  const int64_t facts[] = {1, n[0], n[1], a.n[1], ta, tb, lda, ldb, n[1], 0, 0, n[0] * n[1]};
  for (int i = 0; i < 12; i++) slots[8 + i].i = facts[i];
  slots[20].f = 1.0, slots[21].f = 0.0;
  slots[22].i = (bias ? known.bias : 0) | (gradient == Py_True ? known.gradient : 0);
  return launched(out, slots, known.matmul, (a.numel + b.numel + n[0] * n[1]) * 4);
}
