// The kernels once more in plain C++: float64 loops straight from the contract's text, the oracle of test_kernels.cpp.
#pragma once
#include "runtime.h"

typedef void Plain(const Slot*);
// The plain version of a kernel by its id; null for matmul and attention, which have theirs elsewhere.
Plain* plain_kernel(int64_t id);
