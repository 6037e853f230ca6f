// The kernels in plain C++: float64 loops that follow the contract's text, the oracle of
// test_kernels.cpp.
#pragma once
#include "runtime.h"

typedef void Plain(const Slot*);
// The plain version of a kernel by its id; null for matmul and attention (test_ext.cpp has theirs).
Plain* plain_kernel(int64_t id);
