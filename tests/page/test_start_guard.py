"""A page whose program does not come, or throws, says why: app/shell/start_guard.js, which stands
before every module.
"""

import re

import pytest

from tests.page.conftest import ROOT, Tab

pytestmark = [pytest.mark.browser]
FAILED = "() => document.getElementById('status').textContent === 'The page did not start'"
SAID = "() => document.getElementById('banner').textContent"
LANGUAGE = "Object.defineProperty(Navigator.prototype, 'language', {get: () => '%s', configurable: true})"


@pytest.fixture(scope="module")
def broken(browser, server):
    """A tab in which one file at a time is another: broken(path, **fulfilled) opens the page and
    returns what the banner says once the page has given up.
    """
    tab = Tab(browser, "about:blank", ready=False)

    def open_with(path, says="The page did not start", **answer):
        def handle(route):
            route.abort() if not answer else route.fulfill(**{"content_type": "text/javascript", **answer})

        tab.context.route("**/" + path, handle)
        tab.page.goto(server)
        tab.wait(FAILED.replace("The page did not start", says), seconds=20)
        said = tab.page.evaluate(SAID)
        tab.context.unroute("**/" + path)
        return said

    yield open_with
    tab.close()


def modules():
    """The modules that main.js imports, directly or not, and the vendored ones among them."""
    found, ahead = set(), [ROOT / "app/main.js"]
    while ahead:
        path = ahead.pop()
        if path in found:
            continue
        found.add(path)
        if "vendor" not in path.parts:
            text = re.sub(r"/\*\*.*?\*/", "", path.read_text(), flags=re.S)
            names = re.findall(r'^(?:import|export)\b[^"\';]*\bfrom\s*"(\.[^"]+)"', text, re.M)
            ahead += [(path.parent / name).resolve() for name in names]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def test_each_module_that_is_missing_or_throws_is_said(broken):
    names = modules()
    assert len(names) > 60 and "public/vendor/uplot/uPlot.esm.js" in names and "app/main.js" in names
    for i, name in enumerate(names[::12] + ["app/main.js", "public/vendor/uplot/uPlot.esm.js"]):
        if i % 3 == 0:
            said = broken(name, status=404, body="")
            assert "%s, or a file that it imports, could not be loaded" % name in said, (name, said)
        elif i % 3 == 1:
            said = broken(name, body="throw new RangeError('it cannot be');\n" + (ROOT / name).read_text())
            assert "could not start: Uncaught RangeError: it cannot be (%s, line 1)" % name in said, (name, said)
        else:
            said = broken(name, body=(ROOT / name).read_text() + "\nconst a = ;\n")
            assert "SyntaxError" in said and name in said, (name, said)
        assert said.endswith("use a current Chrome, Edge, Firefox or Safari.")


def test_a_module_that_the_network_loses_and_a_worker_that_throws_are_said(broken):
    assert "could not be loaded" in broken("app/run/controls.js")
    said = broken("app/worker/worker.js", "Python did not start", body="throw new Error('no worker here')", headers={
        "Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "same-origin",
    })  # fmt: skip
    assert "no worker here" in said


def test_an_error_of_a_part_that_is_built_later_is_said(broken):
    assert "could not load its files" in broken("py/defaults.json", body="{}", content_type="application/json")


@pytest.mark.parametrize("language", ["C", "POSIX", "en_US", ""])
def test_a_language_that_browsers_take_from_a_system_without_one_starts_the_page(browser, server, language):
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.add_init_script(LANGUAGE % language)
    tab.page.goto(server)
    tab.wait("() => globalThis.tinygpt && document.getElementById('banner').hidden")
    assert tab.page.evaluate("() => new Intl.NumberFormat(navigator.language).format(1.5)") == "1.5"
    assert tab.complaints == []
    tab.close()


def test_the_page_says_that_it_waits_and_takes_that_back(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    held = []
    tab.context.route("**/app/run/controls.js", lambda route: held.append(route))
    tab.page.clock.install()
    tab.page.goto(server, wait_until="commit")
    tab.wait("() => typeof tinygptStarting === 'object'")
    tab.page.clock.fast_forward(31_000)
    tab.wait("() => /program has not loaded after 30 s/.test(document.getElementById('banner').textContent)")
    held[0].continue_()
    tab.page.clock.resume()
    tab.wait("() => globalThis.tinygpt && document.getElementById('banner').hidden")
    tab.close()


def test_without_javascript_the_page_says_so(browser, server):
    tab = Tab(browser, server, ready=False, java_script_enabled=False)
    assert "needs JavaScript" in tab.page.locator("noscript").text_content()
    tab.close()
