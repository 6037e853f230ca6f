// The kernel table: every kernel of the contract, in the order of ids. A kernel without a
// definition is a link error.
#include "runtime.h"

#define DECLARE(name) extern const Entry entry_##name;
FOR_EACH_KERNEL(DECLARE)

#define ROW(name) &entry_##name,
const Entry* const KERNEL_TABLE[KERNEL_COUNT] = {FOR_EACH_KERNEL(ROW)};
