"""What every test may ask for: a source's value on a target, and the oracle."""

import json

import pytest

import tinygpt
from tests import hosts
from tinygpt import loop


@pytest.fixture(scope="session")
def value():
    """value(target, source, **options): the source's last value, evaluated there."""

    def run(target, source, **options):
        return hosts.value(
            source, target.host, device=target.device, variant=target.variant, configure=target.configure, **options
        )

    return run


@pytest.fixture(params=["native", "reference"])
def device(request):
    """The test runs once with each of the devices that CPython has, as the current one."""
    before = tinygpt.tensor(0.0).device
    yield tinygpt.set_device(request.param)
    tinygpt.set_device(before.name)


@pytest.fixture
def native():
    """The native device is the current one."""
    before = tinygpt.tensor(0.0).device
    yield tinygpt.set_device("native")
    tinygpt.set_device(before.name)


@pytest.fixture
def messages():
    """What training loops send, as it comes; afterwards the loop has no sink, visitor, settings or
    wish for a device.
    """
    got = []
    loop.set_sink(lambda text: got.append(json.loads(text)))
    yield got
    loop.set_sink(None)
    loop.set_visitor(None)
    loop.set_settings({})
    loop.set_wanted(None)


@pytest.fixture
def oracle():
    """The float64 device, in this process."""
    return tinygpt.devices.get("reference")


def pytest_itemcollected(item):
    """The marks that say which of the runs of `python3 -m tests` a test is in, besides what a file
    marks itself.
    """
    folder = item.path.parent.name
    if item.path.stem == "test_walk":
        item.add_marker(pytest.mark.engines)
    elif folder == "bench" or (folder == "parity" and not item.get_closest_marker("gpu")):
        item.add_marker(pytest.mark.alone)
    elif folder in ("page", "ext") or (folder == "security" and item.get_closest_marker("browser")):
        item.add_marker(pytest.mark.by_file)


def pytest_collection_modifyitems(items):
    """The longest file first: where files are shared out, nothing waits for it in the end."""
    items.sort(key=lambda item: item.path.stem != "test_persist_kills")


def pytest_sessionfinish():
    hosts.stop()
