"""Every Python package that the tests need has one pinned version: those of pyproject.toml, and
those that they bring along.
"""

import re
import tomllib
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

from tests.hosts import ROOT

pytestmark = pytest.mark.fast
NOT_OURS = re.compile(r"nvidia-|cuda-|triton$|setuptools$")  # torch's for a GPU pins them itself


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_test_package_is_pinned():
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["test"]
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    pins = [*named, *(line for line in lines if not line.startswith("#"))]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    pinned = {plain(pin.split("==")[0]) for pin in pins}
    assert len(pinned) == len(pins)
    needed, looked = [pin.split("==")[0] for pin in named], set()
    while needed:
        name = plain(needed.pop())
        if name in looked or NOT_OURS.match(name):
            continue
        looked.add(name)
        found = [Requirement(text) for text in requires(name) or []]
        needed += [one.name for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]
    assert looked <= pinned | {plain("setuptools")}, "a package comes along without a pin"
    assert "-c .ci/constraints.txt" in (ROOT / ".ci" / "install-python").read_text()
