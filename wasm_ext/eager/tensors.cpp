// Tensors and Storages: how they are read, made and freed (core/tensor.py, core/factory.py).
#include "eager.h"

bool storage_address(PyObject* storage, int64_t* address) {
  if (!storage || (Py_TYPE(storage) != known.storage && Py_TYPE(storage) != known.borrowed)) return false;
  int64_t base;
  if (SLOT(storage, known.s.device) != known.device || !whole(SLOT(storage, known.s.handle), address) ||
      !whole(SLOT(storage, known.s.base), &base))
    return false;
  *address += base;
  return true;
}

// A tuple of whole numbers that are not negative; its length, or -1 for another.
static int sizes_of(PyObject* tuple, int64_t* values) {
  if (!tuple || !PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) > MOST_DIMS) return -1;
  int rank = (int)PyTuple_GET_SIZE(tuple);
  for (int d = 0; d < rank; d++)
    if (!whole(PyTuple_GET_ITEM(tuple, d), &values[d]) || values[d] < 0) return -1;
  return rank;
}

// The product, or -1 where it passes 2^48.
static int64_t count(const int64_t* n, int rank) {
  int64_t total = 1;
  for (int d = 0; d < rank; d++) {
    if (n[d] > (int64_t)1 << 48 || total > (int64_t)1 << 48) return -1;
    if (__builtin_mul_overflow(total, n[d], &total)) return -1;
  }
  return total <= (int64_t)1 << 48 ? total : -1;
}

bool View::read(PyObject* x) {
  if (!known.ready || !is_tensor(x)) return false;
  object = x;
  storage = SLOT(x, known.t.storage);
  int64_t offset;
  if (!storage_address(storage, &address) || !whole(SLOT(x, known.t.offset), &offset)) return false;
  if (!(dtype = dtype_of(SLOT(x, known.t.dtype)))) return false;
  address += offset * dtype->itemsize;
  shape = SLOT(x, known.t.shape), strides = SLOT(x, known.t.strides);
  rank = sizes_of(shape, n);
  if (rank < 0 || sizes_of(strides, step) != rank || (numel = count(n, rank)) < 0) return false;
  int64_t expected = 1;
  dense = true;
  for (int d = rank - 1; d >= 0; d--) {
    if (n[d] != 1 && step[d] != expected) dense = false;
    expected *= n[d];
  }
  if (!numel) dense = true;
  return true;
}

PyObject* tuple_of(const int64_t* values, int n) {
  PyObject* tuple = PyTuple_New(n);
  for (int i = 0; tuple && i < n; i++) {
    PyObject* value = PyLong_FromLongLong(values[i]);
    if (!value) {
      Py_DECREF(tuple);
      return nullptr;
    }
    PyTuple_SET_ITEM(tuple, i, value);
  }
  return tuple;
}

static PyObject* no_arguments() {
  static PyObject* empty = PyTuple_New(0);
  return empty;
}

static PyObject* new_object(PyTypeObject* type) { return PyBaseObject_Type.tp_new(type, no_arguments(), nullptr); }

// The handle of new memory, as CpuDevice.alloc gives it.
static PyObject* allocated(int64_t nbytes, PyObject* kind) {
  static PyObject* alloc = PyUnicode_InternFromString("alloc");
  int replaced = PyDict_Contains(known.device_dict, alloc);  // a device that is watched
  if (replaced < 0) return nullptr;
  if (!replaced && nbytes <= SMALL_BLOCK) {
    Py_ssize_t n = PyList_GET_SIZE(known.idle);
    if (n) {
      PyObject* handle = Py_NewRef(PyList_GET_ITEM(known.idle, n - 1));
      if (PyList_SetSlice(known.idle, n - 1, n, nullptr) < 0) {
        Py_DECREF(handle);
        return nullptr;
      }
      return handle;
    }
  } else if (!replaced && nbytes <= UNCHECKED_BYTES) {
    void* memory = known.alloc((size_t)nbytes);
    if (memory) return PyLong_FromVoidPtr(memory);
  }
  PyObject* size = PyLong_FromLongLong(nbytes);
  if (!size) return nullptr;
  PyObject* arguments[] = {known.device, size, kind};
  PyObject* handle = PyObject_VectorcallMethod(alloc, arguments, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  Py_DECREF(size);
  return handle;
}

static PyObject* new_storage(int64_t nbytes, PyObject* kind, int64_t* address) {
  PyObject* handle = allocated(nbytes, kind);
  if (!handle) return nullptr;
  PyObject* made = new_object(known.storage);
  PyObject* size = PyLong_FromLongLong(nbytes);
  PyObject* uid = Py_TYPE(known.uids)->tp_iternext(known.uids);
  *address = PyLong_AsLongLong(handle);
  if (!made || !size || !uid || PyErr_Occurred()) {
    Py_XDECREF(made);
    Py_XDECREF(size);
    Py_XDECREF(uid);
    Py_DECREF(handle);
    return nullptr;
  }
  set_new(made, known.s.handle, handle);
  set_shared(made, known.s.owner, Py_None);
  set_shared(made, known.s.device, known.device);
  set_new(made, known.s.nbytes, size);
  set_shared(made, known.s.kind, kind);
  set_shared(made, known.s.pins, known.zero);
  set_shared(made, known.s.int8, Py_None);
  set_shared(made, known.s.version, known.zero);
  set_shared(made, known.s.base, known.zero);
  set_new(made, known.s.uid, uid);
  return made;
}

static void without_tape(PyObject* made) {
  set_shared(made, known.t.requires_grad, Py_False);
  set_shared(made, known.t.unit, Py_False);
  set_shared(made, known.t.grad, Py_None);
  set_shared(made, known.t.slot, Py_None);
  set_shared(made, known.t.node, Py_None);
  set_shared(made, known.t.base, Py_None);
  set_shared(made, known.t.index, known.zero);
}

PyObject* bare_tensor(PyObject* storage, PyObject* offset, PyObject* shape, PyObject* strides, PyObject* dtype) {
  PyObject* made = storage && offset && shape && strides && dtype ? new_object(known.tensor) : nullptr;
  if (!made) {
    Py_XDECREF(storage);
    Py_XDECREF(offset);
    Py_XDECREF(shape);
    Py_XDECREF(strides);
    Py_XDECREF(dtype);
    return nullptr;
  }
  set_new(made, known.t.storage, storage);
  set_new(made, known.t.offset, offset);
  set_new(made, known.t.shape, shape);
  set_new(made, known.t.strides, strides);
  set_new(made, known.t.dtype, dtype);
  without_tape(made);
  return made;
}

PyObject* new_tensor(PyObject* shape, const int64_t* n, int rank, const Dtype* dtype, int64_t* address) {
  int64_t strides[MOST_DIMS], total = 1;
  for (int d = rank - 1; d >= 0; d--) strides[d] = total, total *= n[d];
  int64_t nbytes = total * dtype->itemsize;
  PyObject* storage = new_storage(nbytes < 4 ? 4 : nbytes, dtype->kind, address);
  if (!storage) return nullptr;
  return bare_tensor(storage, Py_NewRef(known.zero), Py_NewRef(shape), tuple_of(strides, rank),
                     Py_NewRef(dtype->object));
}

// ---- the functions ------------------------------------------------------------------------------

// like(x, shape=None, dtype=None)
IMPLEMENTATION(eager_like) {
  Py_ssize_t given = PyVectorcall_NARGS(flags), named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  PyObject *shape = given > 1 ? arguments[1] : Py_None, *kind = given > 2 ? arguments[2] : Py_None;
  for (Py_ssize_t i = 0; i < named; i++) {
    PyObject* name = PyTuple_GET_ITEM(keywords, i);
    if (PyUnicode_CompareWithASCIIString(name, "dtype") == 0 && given < 3) kind = arguments[given + i];
    else if (PyUnicode_CompareWithASCIIString(name, "shape") == 0 && given < 2) shape = arguments[given + i];
    else return PLAIN();
  }
  if (!known.ready || given < 1 || given > 3 || !is_tensor(arguments[0])) return PLAIN();
  PyObject *x = arguments[0], *storage = SLOT(x, known.t.storage);
  int64_t address, n[MOST_DIMS];
  if (!storage_address(storage, &address)) return PLAIN();
  if (shape == Py_None) shape = SLOT(x, known.t.shape);
  const Dtype* dtype = dtype_of(kind == Py_None ? SLOT(x, known.t.dtype) : kind);
  int rank = sizes_of(shape, n);
  if (!dtype || rank < 0 || !PyTuple_CheckExact(shape) || count(n, rank) < 0) return PLAIN();
  for (int d = 0; d < rank; d++)
    if (!n[d]) return PLAIN();
  return new_tensor(shape, n, rank, dtype, &address);
}

// Tensor.__init__(self, storage, shape, dtype=float32, offset=0, strides=None)
IMPLEMENTATION(eager_init) {
  Py_ssize_t given = PyVectorcall_NARGS(flags);
  if (!known.ready || keywords || given < 3 || given > 6) return PLAIN();
  PyObject *x = arguments[0], *storage = arguments[1], *shape = arguments[2];
  const Dtype* dtype = given > 3 ? dtype_of(arguments[3]) : &known.dtypes[0];
  PyObject* offset = given > 4 ? arguments[4] : known.zero;
  PyObject* strides = given > 5 ? arguments[5] : Py_None;
  int64_t address, start, nbytes, n[MOST_DIMS], step[MOST_DIMS];
  if (!dtype || !storage_address(storage, &address) || !whole(offset, &start) || start < 0) return PLAIN();
  if (start > (int64_t)1 << 48 || !whole(SLOT(storage, known.s.nbytes), &nbytes)) return PLAIN();
  int rank = sizes_of(shape, n);
  if (rank < 0 || !PyTuple_CheckExact(shape) || count(n, rank) < 1) return PLAIN();
  int64_t end = start + 1;
  if (strides == Py_None) {
    int64_t total = 1;
    for (int d = rank - 1; d >= 0; d--) step[d] = total, total *= n[d];
    end = start + total;
  } else {
    if (!PyTuple_CheckExact(strides) || sizes_of(strides, step) != rank) return PLAIN();
    for (int d = 0; d < rank; d++) {
      int64_t reach;
      if (__builtin_mul_overflow(n[d] - 1, step[d], &reach) || __builtin_add_overflow(end, reach, &end)) return PLAIN();
    }
  }
  if (end > nbytes / dtype->itemsize) return PLAIN();  // it refuses
  PyObject* kept = strides == Py_None ? tuple_of(step, rank) : Py_NewRef(strides);
  if (!kept) return nullptr;
  const struct {
    Py_ssize_t slot;
    PyObject* value;
  } values[] = {{known.t.storage, Py_NewRef(storage)},
                {known.t.shape, Py_NewRef(shape)},
                {known.t.dtype, Py_NewRef(dtype->object)},
                {known.t.offset, Py_NewRef(offset)},
                {known.t.strides, kept},
                {known.t.requires_grad, Py_NewRef(Py_False)},
                {known.t.unit, Py_NewRef(Py_False)},
                {known.t.grad, Py_NewRef(Py_None)},
                {known.t.slot, Py_NewRef(Py_None)},
                {known.t.node, Py_NewRef(Py_None)},
                {known.t.base, Py_NewRef(Py_None)},
                {known.t.index, Py_NewRef(known.zero)}};
  for (const auto& each : values) replace(&SLOT(x, each.slot), each.value);  // __init__ may run again
  Py_RETURN_NONE;
}

// Tensor.detach(self)
IMPLEMENTATION(eager_detach) {
  if (!known.ready || keywords || PyVectorcall_NARGS(flags) != 1 || !is_tensor(arguments[0])) return PLAIN();
  PyObject* x = arguments[0];
  const Py_ssize_t slots[] = {known.t.storage, known.t.offset, known.t.shape, known.t.strides, known.t.dtype};
  for (Py_ssize_t slot : slots)
    if (!SLOT(x, slot)) return PLAIN();
  return bare_tensor(Py_NewRef(SLOT(x, known.t.storage)), Py_NewRef(SLOT(x, known.t.offset)),
                     Py_NewRef(SLOT(x, known.t.shape)), Py_NewRef(SLOT(x, known.t.strides)),
                     Py_NewRef(SLOT(x, known.t.dtype)));
}

// Tensor.is_contiguous(self)
IMPLEMENTATION(eager_is_contiguous) {
  View x;
  if (keywords || PyVectorcall_NARGS(flags) != 1 || !x.read(arguments[0])) return PLAIN();
  return PyBool_FromLong(x.dense);
}

// Storage.__del__(self): its memory goes, as CpuDevice.free takes it.
IMPLEMENTATION(eager_del) {
  PyObject* storage = PyVectorcall_NARGS(flags) == 1 ? arguments[0] : nullptr;
  if (!known.ready || !storage || Py_TYPE(storage) != known.storage) return PLAIN();
  PyObject *handle = SLOT(storage, known.s.handle), *owner = SLOT(storage, known.s.owner);
  int64_t address;
  if (owner != Py_None || SLOT(storage, known.s.device) != known.device || !whole(handle, &address)) return PLAIN();
  int small = PySet_Contains(known.blocks, handle);
  if (small < 0 || (small && PyList_Append(known.idle, handle) < 0)) return nullptr;
  if (!small) known.free((void*)(uintptr_t)address);
  Py_RETURN_NONE;
}
