// The kernel table: every kernel of the contract, in id order. A kernel that nobody defines is a link error.
#include "runtime.h"

#define DECLARE(name) extern const Entry entry_##name;
FOR_EACH_KERNEL(DECLARE)

const Entry* const KERNEL_TABLE[KERNEL_COUNT] = {
#define ROW(name) &entry_##name,
    FOR_EACH_KERNEL(ROW)
};
