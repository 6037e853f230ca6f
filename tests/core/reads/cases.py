"""The list of cases, and the classes that several of them use."""

import dataclasses

import tinygpt
from tinygpt import nn

CASES = []


def case(made):
    """made() gives (a function, a change of something that it reads)."""
    CASES.append(made)
    return made


class Sub(nn.Module):
    level = 1.0

    def __init__(self):
        super().__init__()
        self.scale, self.items, self.opt = 2.0, [1.0, {"k": [2.0]}], None
        self.weight = nn.Parameter(tinygpt.ones(3))
        self.register_buffer("buf", tinygpt.ones(3))

    def forward(self, x):
        return x * self.scale * self.weight

    @property
    def prop(self):
        return self.scale * 2.0


@dataclasses.dataclass
class Config:
    p: float = 1.0
    q: list = dataclasses.field(default_factory=lambda: [1.0])
