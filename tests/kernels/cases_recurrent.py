"""Cases of the recurrent layers: each cell in both directions, sequences of one length and of
many.
"""

from tinygpt.kernels import CELL, DTYPES, GATES

from .cases import FLOAT, case

DOUBLE = DTYPES["float64"]
SMALL = ["signed", -4]
# B, H, the sizes of steps (None: T steps of B).
SHAPES = (
    (1, 1, 1),
    (3, 5, 2),
    (7, 17, 3),
    (20, 33, 4),
    (5, 16, [5, 5, 3, 3, 1]),
    (13, 18, [13, 6, 1]),
    (26, 70, 4),
    (4, 40, [4, 2]),
)

for name, cell in CELL.items():
    for dtype in (FLOAT, DOUBLE):
        for reverse in (0, 1):
            for B, H, steps in SHAPES:
                T = steps if isinstance(steps, int) else len(steps)
                rows = B * T if isinstance(steps, int) else sum(steps)
                fills = {"w": SMALL, "gates": SMALL, "dy": SMALL}
                absent = ["bias"] if B == 3 else ["kept"] if B == 7 else []
                if isinstance(steps, int):
                    absent.append("sizes")
                else:
                    fills["sizes"] = ["values", steps]
                sizes = {"cell": cell, "dtype": dtype, "B": B, "T": T, "H": H, "rows": rows, "reverse": reverse}
                label = "%s%s%s" % (name, ", reverse" if reverse else "", ", float64" if dtype == DOUBLE else "")
                wide = H if B != 7 else 2 * H + 3
                case("recurrent", label, fills, absent, **sizes, ldy=wide)
                gone = {3: ["dhn", "dcn"], 7: ["dy"]}.get(B, [])
                case(
                    "recurrent_backward",
                    label,
                    fills,
                    [*gone, *(name for name in absent if name == "sizes")],
                    **sizes,
                    ldy=wide,
                    lddy=H if B != 5 else 2 * H,
                )
for steps in ([2, 3], [3, 0], [3, 3], [2, 2]):
    broken = {"cell": CELL["gru"], "dtype": FLOAT, "B": 3, "T": 2, "H": 4, "rows": 5, "ldy": 4, "reverse": 0}
    case("recurrent", "sizes that do not fit, refused", {"sizes": ["values", steps]}, **broken)
    case("recurrent_backward", "sizes that do not fit, refused", {"sizes": ["values", steps]}, **broken, lddy=4)
assert len(GATES) == len(CELL)
