"""The oracle's factorisations of small matrices, in NumPy: LAPACK's algorithms written out."""

# NumPy's types are loose: pyright's strict mode would call most of this unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def lu(p: Any, a: Array, order: Array, pivots: Array, info: Array) -> None:
    k = min(p.m, p.n)
    for z, x in enumerate(a.reshape(p.batch, p.m, p.n)):
        rows, swaps, wrong = np.arange(p.m), pivots[z * k : (z + 1) * k], 0
        for i in range(k):
            at = i + int(np.argmax(np.abs(x[i:, i])))
            swaps[i] = at + 1
            x[[i, at]], rows[[i, at]] = x[[at, i]], rows[[at, i]]
            if x[i, i] == 0:
                wrong = wrong or i + 1
                continue
            x[i + 1 :, i] /= x[i, i]
            x[i + 1 :, i + 1 :] -= np.outer(x[i + 1 :, i], x[i, i + 1 :])
        order[z * p.m : (z + 1) * p.m], info[z] = rows, wrong


def cholesky(p: Any, a: Array, info: Array) -> None:
    for z, x in enumerate(a.reshape(p.batch, p.n, p.n)):
        info[z] = 0
        lower = np.zeros_like(x)
        for i in range(p.n):
            for j in range(i + 1):
                rest = x[i, j] - lower[i, :j] @ lower[j, :j]
                if i == j and not rest > 0 and not info[z]:
                    info[z] = i + 1
                lower[i, j] = np.sqrt(rest) if i == j else rest / lower[j, j]
        x[:] = lower


def triangular_solve(p: Any, x: Array, a: Array) -> None:
    for right, whole in zip(x.reshape(p.batch, p.n, p.k), a.reshape(p.batch, p.n, p.n)):
        part = np.triu(whole) if p.upper else np.tril(whole)
        if p.unit:
            part = part - np.diag(np.diag(part)) + np.eye(p.n)
        part = part.T if p.transposed else part
        places = range(p.n) if bool(p.upper) == bool(p.transposed) else range(p.n - 1, -1, -1)
        for i in places:
            rest = part[i] @ right - part[i, i] * right[i]
            right[i] = (right[i] - rest) / part[i, i]


def qr(p: Any, q: Array, a: Array, tau: Array) -> None:
    count = min(p.m, p.n)
    for z, x in enumerate(a.reshape(p.batch, p.m, p.n)):
        steps, whole = tau[z * count : (z + 1) * count], np.eye(p.m)
        for k in range(count):
            alpha, size = x[k, k], np.linalg.norm(x[k + 1 :, k])
            steps[k] = 0
            if size == 0:
                continue
            beta = -np.copysign(np.hypot(alpha, size), alpha)
            steps[k] = (beta - alpha) / beta
            v = np.concatenate([[1.0], x[k + 1 :, k] / (alpha - beta)])
            x[k:, k + 1 :] -= steps[k] * np.outer(v, v @ x[k:, k + 1 :])
            x[k, k], x[k + 1 :, k] = beta, v[1:]
            whole[:, k:] -= steps[k] * np.outer(whole[:, k:] @ v, v)
        q.reshape(p.batch, p.m, p.columns)[z] = whole[:, : p.columns]


def eigh(p: Any, values: Array, a: Array, info: Array) -> None:
    for z, x in enumerate(a.reshape(p.batch, p.n, p.n)):
        values[z * p.n : (z + 1) * p.n], x[:] = np.linalg.eigh(x, "L")
        info[z] = 0


def svd(p: Any, u: Array, values: Array, v: Array, info: Array) -> None:
    for z, x in enumerate(u.reshape(p.batch, p.n, p.m)):
        turn = np.eye(p.n)
        for _ in range(60):
            still = True
            for i in range(p.n):
                for j in range(i + 1, p.n):
                    a, b, dot = x[i] @ x[i], x[j] @ x[j], x[i] @ x[j]
                    if dot == 0 or abs(dot) <= 2.0**-51 * np.sqrt(a) * np.sqrt(b):
                        continue
                    still = False
                    zeta = (b - a) / (2 * dot)
                    t = np.copysign(1, zeta) / (abs(zeta) + np.hypot(1, zeta))
                    c = 1 / np.sqrt(1 + t * t)
                    for rows in (x, turn):
                        rows[i], rows[j] = c * rows[i] - c * t * rows[j], c * t * rows[i] + c * rows[j]
            if still:
                break
        sizes = np.linalg.norm(x, axis=1)
        order = np.argsort(-sizes, kind="stable")
        sizes, x[:], turn = sizes[order], x[order], turn[order]
        x[:] = np.divide(x, sizes[:, None], where=sizes[:, None] > 0, out=x.copy())
        values[z * p.n : (z + 1) * p.n], v.reshape(p.batch, p.n, p.n)[z], info[z] = sizes, turn, 0
