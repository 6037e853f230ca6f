// The module `eager`: `function(key, plain)` makes a Function, `know(facts)` takes what the C code
// reads: classes, dictionaries, the device and the addresses of the library's functions.
#include "eager.h"

Known known;

bool capturing() {
  static PyObject* name = PyUnicode_InternFromString("_capture");
  return PyDict_GetItem(known.program, name) != Py_None;
}

// ---- Function -----------------------------------------------------------------------------------

static void function_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_XDECREF(((Function*)self)->plain);
  Py_TYPE(self)->tp_free(self);
}

static int function_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(((Function*)self)->plain);
  return 0;
}

static PyObject* function_bind(PyObject* self, PyObject* object, PyObject*) {
  if (!object || object == Py_None) return Py_NewRef(self);
  return PyMethod_New(self, object);
}

// Its name, its text and its signature are those of the plain function.
static PyObject* function_attribute(PyObject* self, PyObject* name) {
  if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0)
    return Py_NewRef(((Function*)self)->plain);
  return PyObject_GetAttr(((Function*)self)->plain, name);
}

static int function_set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  return PyObject_SetAttr(((Function*)self)->plain, name, value);
}

static PyTypeObject function_type = {PyVarObject_HEAD_INIT(nullptr, 0)};

static const struct {
  const char* key;
  vectorcallfunc call;
} IMPLEMENTATIONS[] = {
    {"factory.like", eager_like},
    {"tensor.Tensor.__init__", eager_init},
    {"tensor.Tensor.detach", eager_detach},
    {"tensor.Tensor.is_contiguous", eager_is_contiguous},
    {"tensor.Storage.__del__", eager_del},
    {"program.launch", eager_launch},
    {"elementwise.binary", eager_binary},
    {"elementwise.binary_scalar", eager_binary_scalar},
    {"inplace.in_place", eager_in_place},
    {"elementwise._unary", eager_unary},
    {"elementwise._unary_backward", eager_unary_backward},
    {"elementwise._promote", eager_promote},
    {"reduce._launch", eager_reduce},
    {"matmul.gemm", eager_gemm},
    {"autograd.needs_grad", eager_needs_grad},
    {"autograd.attach", eager_attach},
    {"movement._viewed", eager_viewed},
};

static PyObject* make_function(PyObject*, PyObject* arguments) {
  const char* key;
  PyObject* plain;
  if (!PyArg_ParseTuple(arguments, "sO", &key, &plain)) return nullptr;
  for (const auto& each : IMPLEMENTATIONS) {
    if (strcmp(each.key, key)) continue;
    Function* made = PyObject_GC_New(Function, &function_type);
    if (!made) return nullptr;
    made->call = each.call;
    made->plain = Py_NewRef(plain);
    PyObject_GC_Track(made);
    return (PyObject*)made;
  }
  return Py_NewRef(plain);
}

// ---- know ---------------------------------------------------------------------------------------

// The offset of a slot of a class; -1 with an error set.
static Py_ssize_t offset_of(PyObject* type, const char* name) {
  PyObject* descriptor = PyObject_GetAttrString(type, name);
  if (!descriptor) return -1;
  Py_ssize_t offset = -1;
  if (Py_TYPE(descriptor) == &PyMemberDescr_Type) offset = ((PyMemberDescrObject*)descriptor)->d_member->offset;
  else PyErr_Format(PyExc_TypeError, "%s is no slot", name);
  Py_DECREF(descriptor);
  return offset;
}

static bool know_tensor(PyObject* type) {
  known.tensor = (PyTypeObject*)Py_NewRef(type);
  const struct {
    const char* name;
    Py_ssize_t* offset;
  } slots[] = {{"_storage", &known.t.storage}, {"_offset", &known.t.offset}, {"_shape", &known.t.shape},
               {"_strides", &known.t.strides}, {"_dtype", &known.t.dtype},   {"_requires_grad", &known.t.requires_grad},
               {"_grad", &known.t.grad},       {"_slot", &known.t.slot},     {"_node", &known.t.node},
               {"_index", &known.t.index},     {"_unit", &known.t.unit},     {"_base", &known.t.base},
               {"_seen", &known.t.seen},       {"_made", &known.t.made}};
  for (const auto& slot : slots)
    if ((*slot.offset = offset_of(type, slot.name)) < 0) return false;
  return true;
}

static bool know_storage(PyObject* type) {
  known.borrowed = (PyTypeObject*)Py_NewRef(type);
  const struct {
    const char* name;
    Py_ssize_t* offset;
  } slots[] = {{"device", &known.s.device},  {"handle", &known.s.handle}, {"base", &known.s.base},
               {"nbytes", &known.s.nbytes},  {"kind", &known.s.kind},     {"uid", &known.s.uid},
               {"pins", &known.s.pins},      {"int8", &known.s.int8},     {"owner", &known.s.owner},
               {"version", &known.s.version}};
  for (const auto& slot : slots)
    if ((*slot.offset = offset_of(type, slot.name)) < 0) return false;
  return true;
}

static bool know_node(PyObject* type) {
  known.node = (PyTypeObject*)Py_NewRef(type);
  const struct {
    const char* name;
    Py_ssize_t* offset;
  } slots[] = {{"seq", &known.n.seq},         {"edges", &known.n.edges}, {"backward", &known.n.backward},
               {"outputs", &known.n.outputs}, {"name", &known.n.name},   {"saved", &known.n.saved},
               {"frees", &known.n.frees}};
  for (const auto& slot : slots)
    if ((*slot.offset = offset_of(type, slot.name)) < 0) return false;
  return true;
}

// dtypes: [(dtype, kind, code, itemsize, direct, floating)]
static bool know_dtypes(PyObject* list) {
  known.dtype_count = 0;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list) && i < MOST_DTYPES; i++) {
    Dtype* d = &known.dtypes[i];
    long long code, size;
    int direct, floating;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "OOLLpp", &d->object, &d->kind, &code, &size, &direct, &floating))
      return false;
    Py_INCREF(d->object);
    Py_INCREF(d->kind);
    d->code = code, d->itemsize = size, d->direct = direct, d->floating = floating;
    known.dtype_count++;
  }
  return true;
}

// kernels: [(kernel, name, slots, letters of buffers, "qd..." of parameters)] in order of id
static bool know_kernels(PyObject* list) {
  known.kernel_count = PyList_GET_SIZE(list);
  known.kernels = (KernelFacts*)PyMem_Calloc(known.kernel_count, sizeof(KernelFacts));
  const struct {
    const char* name;
    int64_t* id;
  } named[] = {{"binary", &known.binary},         {"binary_scalar", &known.binary_scalar},
               {"unary", &known.unary},           {"unary_backward", &known.unary_backward},
               {"wide_unary", &known.wide_unary}, {"wide_unary_backward", &known.wide_unary_backward},
               {"reduce", &known.reduce},         {"matmul", &known.matmul}};
  for (Py_ssize_t i = 0; i < known.kernel_count; i++) {
    KernelFacts* k = &known.kernels[i];
    const char *name, *access, *kinds;
    long long slots;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "OsLss", &k->object, &name, &slots, &access, &kinds)) return false;
    Py_INCREF(k->object);
    k->slots = slots, k->buffers = (int64_t)strlen(access), k->params = (int64_t)strlen(kinds);
    if (k->buffers > (int64_t)sizeof k->written || k->slots > MAX_SLOTS || k->slots != 2 + k->buffers + k->params)
      k->slots = 0;  // its launches take the plain way
    else {
      for (int b = 0; b < k->buffers; b++) k->written[b] = access[b] != 'r';
      memcpy(k->kinds, kinds, k->params);
    }
    for (const auto& each : named)
      if (!strcmp(each.name, name)) *each.id = i;
  }
  return true;
}

static bool know_device(PyObject* device) {
  Py_XSETREF(known.device, Py_NewRef(device));
  Py_XSETREF(known.device_dict, PyObject_GenericGetDict(device, nullptr));
  Py_XSETREF(known.blocks, PyObject_GetAttrString(device, "_blocks"));
  Py_XSETREF(known.idle, PyObject_GetAttrString(device, "_idle_blocks"));
  return known.device_dict && known.blocks && known.idle && PySet_Check(known.blocks) && PyList_Check(known.idle);
}

// library: (address of tg_alloc, of tg_free, of tg_run)
static bool know_library(PyObject* addresses) {
  unsigned long long alloc, free, run;
  if (!PyArg_ParseTuple(addresses, "KKK", &alloc, &free, &run)) return false;
  known.alloc = (void* (*)(size_t))(uintptr_t)alloc;
  known.free = (void (*)(void*))(uintptr_t)free;
  known.run = (int (*)(const Slot*, int64_t))(uintptr_t)run;
  return true;
}

static bool know_one(const char* name, PyObject* value) {
  const struct {
    const char* name;
    PyObject** place;
  } objects[] = {{"uids", &known.uids},
                 {"tape", &known.tape},
                 {"state", &known.state},
                 {"program", &known.program},
                 {"binary_codes", &known.binary_codes},
                 {"unary_codes", &known.unary_codes},
                 {"reduce_codes", &known.reduce_codes},
                 {"status_error", &known.status_error}};
  for (const auto& each : objects) {
    if (strcmp(each.name, name)) continue;
    Py_XSETREF(*each.place, Py_NewRef(value));
    return true;
  }
  if (!strcmp(name, "tensor")) return know_tensor(value);
  if (!strcmp(name, "storage")) {
    known.storage = (PyTypeObject*)Py_NewRef(value);
    return true;
  }
  if (!strcmp(name, "borrowed")) return know_storage(value);
  if (!strcmp(name, "node")) return know_node(value);
  if (!strcmp(name, "dtypes")) return know_dtypes(value);
  if (!strcmp(name, "kernels")) return know_kernels(value);
  if (!strcmp(name, "device")) return know_device(value);
  if (!strcmp(name, "library")) return know_library(value);
  if (!strcmp(name, "bias")) return (known.bias = PyLong_AsLongLong(value)) >= 0;
  if (!strcmp(name, "gradient")) return (known.gradient = PyLong_AsLongLong(value)) >= 0;
  PyErr_Format(PyExc_KeyError, "nothing here is called %s", name);
  return false;
}

static PyObject* know(PyObject*, PyObject* facts) {
  PyObject *name, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(facts, &at, &name, &value))
    if (!know_one(PyUnicode_AsUTF8(name), value)) return nullptr;
  known.ready = known.tensor && known.storage && known.borrowed && known.node && known.device && known.uids &&
                known.tape && known.state && known.program && known.binary_codes && known.unary_codes &&
                known.reduce_codes && known.status_error && known.dtype_count && known.kernels && known.run;
  Py_RETURN_NONE;
}

static PyMethodDef METHODS[] = {
    {"function", make_function, METH_VARARGS,
     "function(key, plain): the Function of that key; plain where there is none."},
    {"know", know, METH_O, "know(facts): a dict of what the C code reads."},
    {nullptr, nullptr, 0, nullptr},
};

static PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "eager", nullptr, -1, METHODS, nullptr, nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit_eager() {
  function_type.tp_name = "tinygpt.core.eager.Function";
  function_type.tp_basicsize = sizeof(Function);
  function_type.tp_flags =
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR;
  function_type.tp_vectorcall_offset = offsetof(Function, call);
  function_type.tp_call = PyVectorcall_Call;
  function_type.tp_dealloc = function_dealloc;
  function_type.tp_traverse = function_traverse;
  function_type.tp_descr_get = function_bind;
  function_type.tp_getattro = function_attribute;
  function_type.tp_setattro = function_set_attribute;
  if (PyType_Ready(&function_type) < 0) return nullptr;
  known.zero = PyLong_FromLong(0);
  return PyModule_Create(&MODULE);
}
