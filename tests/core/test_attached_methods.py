"""What is declared for the type checker of Tensor's attached methods is what is attached."""

import ast
import pathlib

import pytest

import tinygpt
from tinygpt.core import tensor

pytestmark = pytest.mark.fast


def names_in(file, name):
    """What the body of a class defines."""
    source = ast.parse(file.read_text(encoding="utf-8"))
    body = next(x.body for x in source.body if isinstance(x, ast.ClassDef) and x.name == name)
    return {x.name for x in body if isinstance(x, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_what_is_declared_for_the_type_checker_is_what_is_attached():
    core = pathlib.Path(tensor.__file__).parent
    declared = names_in(core / "attached_methods.py", "AttachedMethods")
    own = names_in(core / "tensor.py", "Tensor")
    here = {name for name, value in vars(tinygpt.Tensor).items() if callable(value) or isinstance(value, property)}
    assert declared == here - own - {"__index__"}
