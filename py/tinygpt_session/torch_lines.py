"""The rule for what a program of plain PyTorch code prints: a line that names a validation loss is
an evaluation on the chart.

Such a line has one of the words val, valid, validation, test, eval, dev, perhaps "set", perhaps
"average", perhaps "loss" (or mse, nll, ce, bce), and then a number with a decimal point or an
exponent: "val loss 1.23", "Test set: Average loss: 0.05", "| valid loss  5.43 |", "'eval_loss':
0.3". A number with a unit or a percent sign is none. Of several the last one counts. Printed losses
of training are not read: the chart has the loss of each step.
"""

from __future__ import annotations

import re

LONGEST = 1000  # characters of a line that are read
_VALIDATION = (
    r"(?<![a-z])(?:val|valid|validation|test|eval|evaluation|dev)(?![a-z])(?:[_ ]set\b)?\W{0,6}"
    r"(?:(?:average|avg|mean)\b\W{0,3})?_?(?:(?:loss|mse|nll|ce|bce)(?![a-z])\W{0,6})?"
    r"(?<![\d.+-])([+-]?(?:\d+\.\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+))(?![\w.]|\s*(?:%|ms\b|sec|s\b|min\b))"
)


def validation_loss(line: str) -> float | None:
    """The validation loss that a printed line names."""
    found = re.findall(_VALIDATION, line[:LONGEST], re.IGNORECASE)  # compiled at its first use, not at the start
    return float(found[-1]) if found else None


class Lines:
    """Printed pieces as complete lines: print("val", 1.5) writes four pieces."""

    def __init__(self) -> None:
        self.begun = ""

    def completed(self, text: str) -> list[str]:
        """The lines that end in `text`. A carriage return ends one too (progress bars)."""
        if "\n" not in text and "\r" not in text:
            self.begun = (self.begun + text[:LONGEST])[:LONGEST]
            return []
        *lines, rest = text.replace("\r", "\n").split("\n")
        lines[0] = self.begun + lines[0]
        self.begun = rest[:LONGEST]
        return [line for line in lines if line]
