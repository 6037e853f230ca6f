"""Groups of invocations that share a row: how softmax, cross-entropy and the norms cut a workgroup
up (shaders/rows.wgsl).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..dispatch_plan import Operand, Planner


WIDTH = 128  # invocations of a workgroup whose rows are independent
REGISTERS = 4  # vec4 of a row that an invocation holds at most; of single numbers, twice as many


def items(d: Planner, n: int, *operands: Operand | None) -> tuple[str, int]:
    """(item type, items in a row of n) for operands that are rows of n numbers: vec4 where every
    row begins on 16 bytes.
    """
    return ("vec4<f32>", n // 4) if n % 4 == 0 and d.vec4(*operands) else ("f32", n)


class RowGroups(NamedTuple):
    """W invocations in groups of T; a group has a row of n items of type F.

    K: items of each invocation, 0 for a row too long for the registers of 256 invocations.
    """

    F: str
    n: int
    T: int
    K: int
    W: int

    @classmethod
    def of(cls, d: Planner, n: int, *operands: Operand | None, width: int = WIDTH) -> RowGroups:
        """For operands that are rows of n numbers. width: W at least, where K is not 0.

        T is 32 where that is enough: on NVIDIA's GPUs they run in lock-step and need no barrier.
        """
        F, n = items(d, n, *operands)
        most = REGISTERS if F != "f32" else 2 * REGISTERS
        for T in (16, 32, 64, 128, 256):
            if n <= T * (1 if T == 16 else most):
                return cls(F, n, T, -(-n // T), max(width, T))
        return cls(F, n, T=256, K=0, W=256)

    @property
    def rows(self) -> int:
        """Rows that a workgroup has at a time."""
        return self.W // self.T

    def workgroups(self, rows: int) -> int:
        return -(-rows // self.rows)

    @property
    def defines(self) -> dict[str, Any]:
        return dict(F=self.F, T=self.T, K=self.K, W=self.W)
