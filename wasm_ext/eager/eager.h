// Eager ops of CPython on the native device, each in one call: what py/tinygpt/core/eager.py calls
// the module `eager`. The Python functions that these replace are the plain version of each; they
// run whenever something is not the usual case.
//
// What comes in are the objects of core/tensor.py and core/autograd.py, whose __slots__ are read by
// their offsets. The kernels are those of the native library, whose functions are given by address.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <cstdint>
#include <cstring>
#include "../runtime.h"

#define SLOT(object, offset) (*(PyObject**)((char*)(object) + (offset)))

// A Python function and what does the usual case of it. `call` gets the Function as `self`.
struct Function {
  PyObject_HEAD vectorcallfunc call;
  PyObject* plain;
};

#define IMPLEMENTATION(name) \
  PyObject* name(PyObject* self, PyObject* const* arguments, size_t flags, PyObject* keywords)
#define PLAIN() PyObject_Vectorcall(((Function*)self)->plain, arguments, flags, keywords)

IMPLEMENTATION(eager_like);
IMPLEMENTATION(eager_init);
IMPLEMENTATION(eager_detach);
IMPLEMENTATION(eager_is_contiguous);
IMPLEMENTATION(eager_del);
IMPLEMENTATION(eager_launch);
IMPLEMENTATION(eager_binary);
IMPLEMENTATION(eager_binary_scalar);
IMPLEMENTATION(eager_in_place);
IMPLEMENTATION(eager_unary);
IMPLEMENTATION(eager_unary_backward);
IMPLEMENTATION(eager_reduce);
IMPLEMENTATION(eager_gemm);
IMPLEMENTATION(eager_needs_grad);
IMPLEMENTATION(eager_attach);
IMPLEMENTATION(eager_promote);
IMPLEMENTATION(eager_viewed);

// ---- what Python has told -----------------------------------------------------------------------

enum {
  MAX_SLOTS = 64,
  MOST_DIMS = 8,
  MOST_DTYPES = 16,
  SMALL_BLOCK = 256,
  UNCHECKED_BYTES = 1 << 20,
  RELEASE_BYTES = 1 << 17
};

struct Dtype {
  PyObject *object, *kind;
  int64_t code, itemsize;
  bool direct, floating;  // direct: the kernels compute with it as it is; not bool
};

struct KernelFacts {
  PyObject* object;
  int64_t slots, buffers, params;
  char written[8];        // of each buffer
  char kinds[MAX_SLOTS];  // 'q' or 'd' of each parameter
};

struct Known {
  PyTypeObject *tensor, *storage, *borrowed, *node;
  PyObject *device, *device_dict, *blocks, *idle;
  PyObject *uids, *tape, *state, *program;  // tape: the dict of core/autograd.py, program: of graph/program.py
  PyObject *binary_codes, *unary_codes, *reduce_codes, *status_error;
  PyObject* zero;
  Dtype dtypes[MOST_DTYPES];
  int dtype_count;
  KernelFacts* kernels;
  int64_t kernel_count;
  int64_t binary, binary_scalar, unary, unary_backward, wide_unary, wide_unary_backward, reduce, matmul;  // ids
  int64_t bias, gradient;  // bits of an epilogue
  struct {
    Py_ssize_t storage, offset, shape, strides, dtype, requires_grad, grad, slot, node, index, unit, base, seen, made;
  } t;
  struct { Py_ssize_t device, handle, base, nbytes, kind, uid, pins, int8, owner, version; } s;
  struct { Py_ssize_t seq, edges, backward, outputs, name, saved, frees; } n;
  void* (*alloc)(size_t);
  void (*free)(void*);
  int (*run)(const Slot*, int64_t);
  bool ready;
};
extern Known known;

// ---- reading objects ----------------------------------------------------------------------------

// An exact int that 64 bits hold.
static inline bool whole(PyObject* object, int64_t* value) {
  if (!object || !PyLong_CheckExact(object)) return false;
  int overflow;
  *value = PyLong_AsLongLongAndOverflow(object, &overflow);
  return !overflow;
}

static inline bool is_tensor(PyObject* object) { return PyObject_TypeCheck(object, known.tensor); }

static inline const Dtype* dtype_of(PyObject* object) {
  for (int i = 0; i < known.dtype_count; i++)
    if (known.dtypes[i].object == object) return &known.dtypes[i];
  return nullptr;
}

// Whether a launch is recorded.
bool capturing();

static inline void replace(PyObject** place, PyObject* value) {
  PyObject* before = *place;
  *place = value;
  Py_XDECREF(before);
}
static inline void set_new(PyObject* object, Py_ssize_t offset, PyObject* value) { SLOT(object, offset) = value; }
static inline void set_shared(PyObject* object, Py_ssize_t offset, PyObject* value) {
  Py_INCREF(value);
  SLOT(object, offset) = value;
}

// A Tensor of the native device.
struct View {
  PyObject *object, *storage;
  const Dtype* dtype;
  PyObject *shape, *strides;
  int64_t address;  // of its first element
  int rank;
  int64_t n[MOST_DIMS], step[MOST_DIMS];
  int64_t numel;
  bool dense;

  // False where it is not the usual case. No error is set.
  bool read(PyObject* x);
};

// Whether the storage is one whose slots are its facts, on the native device; its address.
bool storage_address(PyObject* storage, int64_t* address);

// ---- making objects -----------------------------------------------------------------------------

// A new dense Tensor with memory of its own; null with an error set. shape: a tuple that is kept.
// address: of its memory.
PyObject* new_tensor(PyObject* shape, const int64_t* n, int rank, const Dtype* dtype, int64_t* address);
PyObject* tuple_of(const int64_t* values, int n);
// A Tensor without the tape; it takes all references given.
PyObject* bare_tensor(PyObject* storage, PyObject* offset, PyObject* shape, PyObject* strides, PyObject* dtype);

// Runs one launch; false with the kernel's error set. bytes: that it writes, roughly.
bool run(const Slot* slots, int64_t kernel, int64_t bytes);
