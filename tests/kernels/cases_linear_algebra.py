"""Cases of the factorisations of small matrices."""

import math

from .cases import case


def matrix(m, n, seed=1):
    """Numbers between -1 and 1 that no pattern repeats."""
    return [math.sin(seed + 12.9898 * i * i + 3.7 * i) for i in range(m * n)]


def positive(n):
    """A symmetric matrix with positive eigenvalues."""
    a = matrix(n, n)
    product = [sum(a[i * n + k] * a[j * n + k] for k in range(n)) for i in range(n) for j in range(n)]
    return [v + (1.0 if i % (n + 1) == 0 else 0.0) for i, v in enumerate(product)]


for batch, m, n in ((1, 1, 1), (2, 3, 3), (1, 5, 3), (3, 3, 5), (1, 20, 20), (0, 2, 2), (1, 0, 3)):
    fill = ["values", matrix(m, n, 3) or [1.0]]
    case("lu", "%d x %d" % (m, n), {"a": fill}, batch=batch, m=m, n=n)
    for columns in sorted({min(m, n), m}):
        case("qr", "%d x %d" % (m, n), {"a": fill}, batch=batch, m=m, n=n, columns=columns)
    if m >= n:
        case("svd", "%d x %d" % (m, n), {"u": fill}, batch=batch, m=m, n=n)
case("lu", "singular", {"a": ["values", [1.0, 2.0, 3.0, 2.0, 4.0, 6.0, 1.0, 0.0, 1.0]]}, batch=1, m=3, n=3)
case("qr", "of zeros", {"a": ["values", [0.0]]}, batch=1, m=3, n=3, columns=3)
case("svd", "of rank 1", {"u": ["values", [1.0, 2.0, 3.0]]}, batch=1, m=3, n=2)
for batch, n in ((1, 1), (2, 3), (1, 17), (0, 3)):
    case("cholesky", "%d" % n, {"a": ["values", positive(n)]}, batch=batch, n=n)
    case("eigh", "%d" % n, {"a": ["values", positive(n)]}, batch=batch, n=n)
    for k in (1, 4):
        for flags in range(8):
            upper, transposed, unit = flags & 1, flags >> 1 & 1, flags >> 2
            case("triangular_solve", "%d" % n, {"a": ["values", positive(n)]}, batch=batch, n=n, k=k, upper=upper,
                 transposed=transposed, unit=unit)  # fmt: skip
case("cholesky", "not positive", {"a": ["values", [1.0, 2.0, 2.0, 1.0]]}, batch=1, n=2)
case("eigh", "split", {"a": ["values", [2.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.5, 1.0]]}, batch=1, n=3)
