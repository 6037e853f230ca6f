"""The network goes right after the page is ready: what the server's disk has can still be trained
on, and what cannot be had is refused in one sentence, after which Python works.
"""

import pytest

from tests.page.conftest import Tab

pytestmark = [pytest.mark.browser]
FINISHED = "() => /^Finished/.test(document.getElementById('status').textContent)"
REFUSED = "() => document.getElementById('status').className === 'bad'"


def train(tab, until=FINISHED):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "3")
    tab.page.click("#run")
    tab.wait(until)


def test_the_first_run_needs_no_network_on_any_text_of_the_page(own_tab):
    tab = own_tab
    tab.context.set_offline(True)
    for corpus in ("shakespeare", "stdlib"):
        tab.page.select_option("#setting-corpus", corpus)
        train(tab)
        tab.page.evaluate("() => (document.getElementById('status').textContent = '')")
    assert tab.value("6 * 7") == 42


def test_a_text_that_did_not_come_is_refused_and_python_lives(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.route("**/public/corpora/*.txt", lambda route: route.abort())
    tab.page.goto(server)
    tab.ready()
    train(tab, REFUSED)
    assert "shakespeare.txt could not be fetched from the page's server: connect to the network" in tab.text("#status")
    assert tab.value("6 * 7") == 42
    tab.context.unroute("**/public/corpora/*.txt")
    train(tab)
    tab.close()
