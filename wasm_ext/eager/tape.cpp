// The tape (core/autograd.py): whether an op is recorded, and its Node; views (ops/movement.py).
#include "eager.h"

enum { VIEW_PLAIN = 0, VIEW_UNRECORDED = 1 };  // autograd.PLAIN, autograd.UNRECORDED

// Whether gradients are recorded; -1 with an error set.
static int recording() {
  static PyObject* name = PyUnicode_InternFromString("grad_enabled");
  PyObject* value = PyObject_GetAttr(known.state, name);
  int answer = value ? PyObject_IsTrue(value) : -1;
  Py_XDECREF(value);
  return answer;
}

// The writes into a storage, a new reference; null, maybe without an error, where it is not usual.
static PyObject* writes(PyObject* storage) {
  if (!storage || (Py_TYPE(storage) != known.storage && Py_TYPE(storage) != known.borrowed)) return nullptr;
  if (SLOT(storage, known.s.owner) == Py_None) return Py_XNewRef(SLOT(storage, known.s.version));
  static PyObject* name = PyUnicode_InternFromString("writes");
  return PyObject_CallMethodNoArgs(storage, name);
}

// needs_grad(*inputs)
IMPLEMENTATION(eager_needs_grad) {
  if (!known.ready || keywords) return PLAIN();
  int enabled = recording();
  if (enabled < 0) return nullptr;
  bool needed = false;
  for (Py_ssize_t i = 0; enabled && i < PyVectorcall_NARGS(flags); i++) {
    PyObject* x = arguments[i];
    if (x == Py_None) continue;
    if (!is_tensor(x) || SLOT(x, known.t.base) != Py_None) return PLAIN();
    needed |= SLOT(x, known.t.requires_grad) == Py_True;
  }
  return PyBool_FromLong(needed);
}

static PyObject* edge(PyObject* x) {
  PyObject* node = SLOT(x, known.t.node);
  if (node != Py_None) return PyTuple_Pack(2, node, SLOT(x, known.t.index));
  return Py_NewRef(SLOT(x, known.t.requires_grad) == Py_True ? x : Py_None);
}

// Whether a sequence holds Tensors alone, whose graph is known without a look at a base.
static bool usual(PyObject* tensors, bool views) {
  if (!PyTuple_Check(tensors) && !PyList_Check(tensors)) return false;
  for (Py_ssize_t i = 0; i < Py_SIZE(tensors); i++) {
    PyObject* x = PySequence_Fast_GET_ITEM(tensors, i);
    if (!is_tensor(x) || (!views && SLOT(x, known.t.base) != Py_None)) return false;
  }
  return true;
}

// A list of (storage, writes, shape); null, maybe without an error, where it is not usual.
static PyObject* saved_values(PyObject* saved) {
  Py_ssize_t n = saved == Py_None ? 0 : Py_SIZE(saved);
  PyObject* kept = PyList_New(n);
  for (Py_ssize_t i = 0; kept && i < n; i++) {
    PyObject *x = PySequence_Fast_GET_ITEM(saved, i), *storage = SLOT(x, known.t.storage), *count = writes(storage);
    PyObject* entry = count ? PyTuple_Pack(3, storage, count, SLOT(x, known.t.shape)) : nullptr;
    Py_XDECREF(count);
    if (!entry) {
      Py_DECREF(kept);
      return nullptr;
    }
    PyList_SET_ITEM(kept, i, entry);
  }
  return kept;
}

// attach: 1 done, 0 not usual, -1 with an error set.
static int attached(PyObject* name, PyObject* outputs, PyObject* inputs, PyObject* backward, PyObject* saved) {
  if (!usual(outputs, true) || !usual(inputs, false) || (saved != Py_None && !usual(saved, true))) return 0;
  PyObject* kept = saved_values(saved);
  if (!kept) return PyErr_Occurred() ? -1 : 0;
  Py_ssize_t n = Py_SIZE(inputs);
  PyObject* edges = PyList_New(n);
  for (Py_ssize_t i = 0; edges && i < n; i++) {
    PyObject* one = edge(PySequence_Fast_GET_ITEM(inputs, i));
    if (!one) Py_CLEAR(edges);
    else PyList_SET_ITEM(edges, i, one);
  }
  static PyObject *empty = PyTuple_New(0), *name_of_numbers = PyUnicode_InternFromString("_numbers");
  PyObject* numbers = PyDict_GetItem(known.tape, name_of_numbers);  // detect_anomaly replaces it
  PyObject* node = PyBaseObject_Type.tp_new(known.node, empty, nullptr);
  PyObject *seq = numbers ? PyIter_Next(numbers) : nullptr, *many = PyLong_FromSsize_t(Py_SIZE(outputs));
  if (!edges || !node || !seq || !many) {
    Py_DECREF(kept);
    Py_XDECREF(edges);
    Py_XDECREF(node);
    Py_XDECREF(seq);
    Py_XDECREF(many);
    return -1;
  }
  set_new(node, known.n.seq, seq);
  set_shared(node, known.n.name, name);
  set_new(node, known.n.edges, edges);
  set_shared(node, known.n.backward, backward);
  set_shared(node, known.n.frees, saved == Py_None || PyList_GET_SIZE(kept) ? Py_True : Py_False);
  set_new(node, known.n.saved, kept);
  set_new(node, known.n.outputs, many);
  for (Py_ssize_t i = 0; i < Py_SIZE(outputs); i++) {
    PyObject* out = PySequence_Fast_GET_ITEM(outputs, i);
    replace(&SLOT(out, known.t.requires_grad), Py_NewRef(Py_True));
    replace(&SLOT(out, known.t.node), Py_NewRef(node));
    replace(&SLOT(out, known.t.index), PyLong_FromSsize_t(i));
  }
  Py_DECREF(node);
  return 1;
}

// attach(name, outputs, inputs, backward, saved=None)
IMPLEMENTATION(eager_attach) {
  Py_ssize_t given = PyVectorcall_NARGS(flags), named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  if (!known.ready || given < 4 || given + named > 5) return PLAIN();
  if (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "saved")) return PLAIN();
  PyObject* saved = given + named > 4 ? arguments[4] : Py_None;
  int done = attached(arguments[0], arguments[1], arguments[2], arguments[3], saved);
  if (done < 0) return nullptr;
  if (!done) return PLAIN();
  Py_RETURN_NONE;
}

// elementwise._promote(a, b, division=False), of operands that need none
IMPLEMENTATION(eager_promote) {
  Py_ssize_t given = PyVectorcall_NARGS(flags), named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  if (!known.ready || given < 2 || given + named > 3) return PLAIN();
  PyObject *a = arguments[0], *b = arguments[1];
  if (!is_tensor(a) || !is_tensor(b) || SLOT(a, known.t.dtype) != SLOT(b, known.t.dtype)) return PLAIN();
  const Dtype* dtype = dtype_of(SLOT(a, known.t.dtype));
  int64_t address;
  if (!dtype || (given + named > 2 && !dtype->floating)) return PLAIN();
  if (!storage_address(SLOT(a, known.t.storage), &address) || !storage_address(SLOT(b, known.t.storage), &address))
    return PLAIN();
  return PyTuple_Pack(2, a, b);
}

// movement._viewed(x, out, name, backward), of an x that is no view
IMPLEMENTATION(eager_viewed) {
  if (!known.ready || keywords || PyVectorcall_NARGS(flags) != 4) return PLAIN();
  PyObject *x = arguments[0], *out = arguments[1];
  if (!is_tensor(x) || !is_tensor(out) || SLOT(x, known.t.base) != Py_None) return PLAIN();
  int enabled = recording();
  if (enabled < 0) return nullptr;
  PyObject* seen = writes(SLOT(out, known.t.storage));
  if (!seen) return PyErr_Occurred() ? nullptr : PLAIN();
  if (enabled && SLOT(x, known.t.requires_grad) == Py_True) {
    PyObject *outputs = PyTuple_Pack(1, out), *inputs = PyTuple_Pack(1, x);
    static PyObject* nothing = PyTuple_New(0);
    int done = outputs && inputs ? attached(arguments[2], outputs, inputs, arguments[3], nothing) : -1;
    Py_XDECREF(outputs);
    Py_XDECREF(inputs);
    if (done < 1) {
      Py_DECREF(seen);
      return done ? nullptr : PLAIN();
    }
  }
  replace(&SLOT(out, known.t.base), Py_NewRef(x));
  replace(&SLOT(out, known.t.seen), seen);
  replace(&SLOT(out, known.t.made), PyLong_FromLong(enabled ? VIEW_PLAIN : VIEW_UNRECORDED));
  return Py_NewRef(out);
}
