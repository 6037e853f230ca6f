"""einsum: sums of products by labels. Two operands at a time become matrices and are multiplied, so
nothing of the size of all labels together is made.
"""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor, numel_of
from ..ops import elementwise, movement, reduce, strided
from ..ops import matmul as product

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
REST = "..."  # the label of the dimensions of an ellipsis, followed by their number from the right


def einsum(*args: Any) -> Tensor:
    """The sum of products of the operands' elements, over the labels that the output lacks.

    einsum("ij,jk->ik", a, b), or einsum(a, [0, 1], b, [1, 2], [0, 2]).
    """
    if not args:
        raise ValueError("einsum(): must specify the equation string and at least one operand")
    if isinstance(args[0], str):
        equation, operands = args[0], args[1:]
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = tuple(operands[0])
        inputs, output = _of_text(equation)
    else:
        inputs, output = [_of_list(labels) for labels in args[1::2]], None
        operands = args[::2]
        if len(args) % 2:
            inputs, output, operands = inputs[: len(args) // 2], _of_list(args[-1]), operands[:-1]
    if not operands:
        raise RuntimeError("einsum(): must provide at least one operand")
    for x in operands:
        if not isinstance(x, Tensor):
            raise TypeError("einsum(): operands must be Tensors, not %s" % type(x).__name__)
    if len(inputs) != len(operands):
        few = "fewer" if len(operands) < len(inputs) else "more"
        raise RuntimeError("einsum(): %s operands were provided than specified in the equation" % few)
    terms = [_seen(x, labels, i) for i, (x, labels) in enumerate(zip(operands, inputs))]
    kept = _output(terms, output, [label for labels in inputs for label in labels])
    sizes: dict[str, int] = {}
    for i, (x, labels) in enumerate(terms):
        for label, n in zip(labels, x._shape):
            if sizes.get(label, 1) != 1 and n not in (1, sizes[label]):
                raise RuntimeError(
                    "einsum(): subscript %s has size %d for operand %d which does not broadcast with previously seen "
                    "size %d" % (label, n, i, sizes[label])
                )
            sizes[label] = n if sizes.get(label, 1) == 1 else sizes[label]
    return _contracted(terms, kept, sizes)


def _of_text(equation: str) -> tuple[list[list[str]], list[str] | None]:
    left, arrow, right = equation.replace(" ", "").partition("->")
    return [_letters(part) for part in left.split(",")], _letters(right) if arrow else None


def _letters(text: str) -> list[str]:
    labels: list[str] = []
    while text:
        if text.startswith("..."):
            if REST in labels:
                raise RuntimeError("einsum(): found '.' for operand for which an ellipsis was already found")
            labels.append(REST)
            text = text[3:]
            continue
        if text[0] not in LETTERS:
            raise RuntimeError(
                "einsum(): invalid subscript given: %r, subscripts must be in [a-zA-Z] or an ellipsis" % text[0]
            )
        labels.append(text[0])
        text = text[1:]
    return labels


def _of_list(labels: Any) -> list[str]:
    out: list[str] = []
    for k in labels:
        if k is not Ellipsis and not 0 <= k < len(LETTERS):
            raise ValueError("not all labels are in [0, 52): %r" % (k,))
        out.append(REST if k is Ellipsis else LETTERS[k])
    return out


def _seen(x: Tensor, labels: list[str], number: int) -> tuple[Tensor, list[str]]:
    """An operand with one label for each dimension, each once: repeated ones are its diagonal."""
    if REST in labels:
        rest = x.ndim - len(labels) + 1
        if rest < 0:
            raise RuntimeError(
                "einsum(): the number of subscripts in the equation (%d) is more than the number of dimensions (%d) "
                "for operand %d" % (len(labels) - 1, x.ndim, number)
            )
        at = labels.index(REST)
        labels = labels[:at] + ["%s%d" % (REST, rest - i) for i in range(rest)] + labels[at + 1 :]
    if len(labels) != x.ndim:
        raise RuntimeError(
            "einsum(): the number of subscripts in the equation (%d) does not match the number of dimensions (%d) for "
            "operand %d and no ellipsis was given" % (len(labels), x.ndim, number)
        )
    labels = list(labels)
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x._shape[i] != x._shape[j]:
                raise RuntimeError(
                    "einsum(): subscript %s is repeated for operand %d but the sizes don't match, %d != %d"
                    % (label, number, x._shape[j], x._shape[i])
                )
            x = movement.permute(
                strided.diagonal(x, 0, i, j),
                [*range(i), x.ndim - 2, *range(i, x.ndim - 2)],
            )
            del labels[j]
    return x, labels


def _output(terms: list[tuple[Tensor, list[str]]], output: list[str] | None, written: list[str]) -> list[str]:
    """The labels of the result, in order: without output those that are written once."""
    named = [label for _, labels in terms for label in labels]
    rest = sorted({label for label in named if label.startswith(REST)}, key=lambda v: -int(v[3:]))
    if output is None:
        return rest + sorted(label for label in set(written) if label != REST and written.count(label) == 1)
    kept: list[str] = []
    for label in output:
        if label != REST and label in kept:
            raise RuntimeError("einsum(): output subscript %s appears more than once in the output" % label)
        if label != REST and label not in named:
            raise RuntimeError(
                "einsum(): output subscript %s does not appear in the equation for any input operand" % label
            )
        kept += rest if label == REST else [label]
    return kept


def _summed(x: Tensor, labels: list[str], keep: Any) -> tuple[Tensor, list[str]]:
    """x summed over the labels that nothing needs any more."""
    drop = [d for d, label in enumerate(labels) if label not in keep]
    if drop:
        x = reduce.sum_(x, drop)._cast(x._dtype)
    return x, [label for label in labels if label in keep]


def _without_ones(x: Tensor, labels: list[str], sizes: dict[str, int]) -> tuple[Tensor, list[str]]:
    """x without the dimensions of size 1 whose label has another size elsewhere."""
    drop = [d for d, label in enumerate(labels) if x._shape[d] == 1 and sizes[label] != 1]
    return (movement.squeeze(x, drop) if drop else x), [v for d, v in enumerate(labels) if d not in drop]


def _contracted(terms: list[tuple[Tensor, list[str]]], kept: list[str], sizes: dict[str, int]) -> Tensor:
    x, labels = _without_ones(*terms[0], sizes)
    for i, (y, others) in enumerate(terms[1:], 2):
        y, others = _without_ones(y, others, sizes)
        later = {label for _, rest in terms[i:] for label in rest} | set(kept)
        x, labels = _summed(x, labels, later | set(others))
        y, others = _summed(y, others, later | set(labels))
        x, labels = _pair(x, labels, y, others, later)
    x, labels = _summed(x, labels, kept)
    missing = [label for label in kept if label not in labels]  # of size 1 in all, or gone with a size of 1
    for label in missing:
        x, labels = movement.unsqueeze(x, 0), [label, *labels]
    order = [labels.index(label) for label in kept]
    return movement.permute(x, order) if order != list(range(len(order))) else x


def _pair(x: Tensor, a: list[str], y: Tensor, b: list[str], later: set[str]) -> tuple[Tensor, list[str]]:
    """The product of two operands, summed over labels of both that nothing needs later."""
    both = [label for label in a if label in b and label in later]
    inner = [label for label in a if label in b and label not in later]
    left, right = [v for v in a if v not in b], [v for v in b if v not in a]
    size = dict(zip(a, x._shape)) | dict(zip(b, y._shape))

    def count(names: list[str]) -> int:
        return numel_of([size[v] for v in names])

    def shaped(v: Tensor, labels: list[str], order: list[str], shape: tuple[int, int, int]) -> Tensor:
        places = [labels.index(name) for name in order]
        return movement.reshape(movement.permute(v, places) if places != sorted(places) else v, shape)

    if not inner:  # no sum: a product with broadcasting, which keeps its bits
        u = shaped(x, a, both + left, (count(both), count(left), 1))
        v = shaped(y, b, both + right, (count(both), 1, count(right)))
        made = elementwise.mul(u, v)
    else:
        u = shaped(x, a, both + left + inner, (count(both), count(left), count(inner)))
        v = shaped(y, b, both + inner + right, (count(both), count(inner), count(right)))
        made = product.matmul(u, v) if both else movement.unsqueeze(product.matmul(u[0], v[0]), 0)
    labels = both + left + right
    return movement.reshape(made, [size[v] for v in labels]), labels


__all__ = ["einsum"]
