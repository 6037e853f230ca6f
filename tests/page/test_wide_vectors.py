"""Vectors of 256 bits: the page measures whether its browser makes them of two of 128, loads the
build for it, and says so.
"""

from types import SimpleNamespace

import pytest

from tests.hosts.chromium import PAIRING, launch
from tests.page.conftest import Tab
from tests.page.test_degraded import abilities, trains
from tests.targets import needs_avx2

pytestmark = [pytest.mark.browser, pytest.mark.alone]  # the probe measures time


@pytest.fixture(scope="module")
def pairing(browser):
    """The tests' Chromium with the setting that chrome://flags calls "Future V8 VM features"."""
    chromium = launch(SimpleNamespace(chromium=browser.browser_type), ["--disable-gpu", PAIRING])
    yield chromium
    chromium.close()


def loaded(tab):
    """The builds of the extension that the page fetched."""
    return {address.rsplit("/", 1)[1] for address in tab.requests if "/public/ext/" in address}


@needs_avx2
def test_a_browser_that_pairs_vectors_gets_the_build_for_it(pairing, server):
    tab = Tab(pairing, server)
    assert loaded(tab) == {"tinygpt-paired-mt.mjs", "tinygpt-paired-mt.wasm"}
    assert tab.text("#device").startswith("CPU · wasm32 relaxed-simd 256-bit threads")
    rows, _ = abilities(tab)
    assert rows["Wide vectors"][0] == "available" and "256 bits at a time" in rows["Wide vectors"][1]
    trains(tab)
    assert tab.complaints == []
    tab.close()


def test_a_browser_that_does_not_is_told_how(browser, server):
    tab = Tab(browser, server)
    assert loaded(tab) == {"tinygpt-relaxed-mt.mjs", "tinygpt-relaxed-mt.wasm"}
    rows, _ = abilities(tab)
    assert (
        rows["Wide vectors"][0] == "note" and "chrome://flags/#enable-future-v8-vm-features" in rows["Wide vectors"][1]
    )
    tab.close()
