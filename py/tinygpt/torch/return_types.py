"""The named tuples that functions of several results return: `torch.return_types`."""

from __future__ import annotations

from typing import Any


class _Result(tuple[Any, ...]):
    """A tuple whose fields have names."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def __repr__(self) -> str:
        fields = ["%s=%r" % (name, value) for name, value in zip(self.__match_args__, self)]
        return "torch.return_types.%s(\n%s)" % (type(self).__name__, ",\n".join(fields))

    def __reduce__(self) -> Any:
        return type(self), (tuple(self),)


def _result(name: str, fields: str) -> Any:
    names = tuple(fields.split())
    members: dict[str, Any] = {
        field: property(lambda self, i=i: self[i], doc="Number %d." % i) for i, field in enumerate(names)
    }
    counts = {"n_fields": len(names), "n_sequence_fields": len(names), "n_unnamed_fields": 0}
    own = {"__slots__": (), "__match_args__": names, "__module__": "torch.return_types"}
    return type(name, (_Result,), {**own, **counts, **members})


_FIELDS = {
    **dict.fromkeys("max min median nanmedian mode sort topk kthvalue cummax cummin".split(), "values indices"),
    "aminmax": "min max", "frexp": "mantissa exponent", "histogram": "hist bin_edges", "qr": "Q R", "svd": "U S V",
    "slogdet": "sign logabsdet",
}  # fmt: skip
globals().update({name: _result(name, fields) for name, fields in _FIELDS.items()})


def __getattr__(name: str) -> Any:
    raise AttributeError("torch.return_types has no %r; it has %s" % (name, ", ".join(_FIELDS)))
