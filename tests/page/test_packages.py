"""NumPy and micropip in the tab, and the package in a PyScript page."""

import base64
import hashlib
import io
import json
import zipfile

import pytest

from tests.page.conftest import Tab

pytestmark = [pytest.mark.browser]


def test_numpy_is_loaded_on_its_first_import_also_inside_a_function(browser, server):
    tab = Tab(browser, server)
    assert not any("numpy" in url for url in tab.requests)
    wheels = tab.page.evaluate("() => fetch('public/wheels/wheels.json').then(answer => answer.json())")
    missing = {wheel["name"]: wheel["missing"] for wheel in wheels}
    if missing["numpy"]:  # where set-up could have no wheel (no network, no cache), this is what must happen
        for source in ("import numpy", "def f():\n    import numpy.linalg as la\nf()"):
            assert "ModuleNotFoundError: import numpy: " + missing["numpy"] in tab.run(source)["error"]
        assert "ModuleNotFoundError" in tab.run("import tinygpt\ntinygpt.ones(2).numpy()")["error"]
        assert tab.value("import tinygpt\ntinygpt.ones(2).tolist()") == [1, 1], "the package needs no NumPy"
        assert not any(url.endswith(".whl") for url in tab.requests)
        tab.close()
        return
    assert tab.value("import sys\n'numpy' in sys.modules") is False
    assert tab.value(
        "def f():\n    import numpy.linalg as la\n    return la\nfloat(f().det([[2.0, 1.0], [1.0, 3.0]]))"
    ) == pytest.approx(5)
    assert "Loaded numpy" in tab.text("#console-output")
    assert tab.value(
        "import tinygpt, numpy\nt = tinygpt.tensor(numpy.arange(3, dtype='float32'))\n(t * 2).numpy().tolist()"
    ) == [0, 2, 4]
    tab.close()


def test_without_a_wheel_the_import_says_so_in_a_sentence(browser, server):
    entry = dict(
        name="numpy",
        version="2",
        file="n.whl",
        imports=["numpy"],
        bytes=0,
        sha256=None,
        missing="numpy could not be had",
    )
    own = {"Cross-Origin-Resource-Policy": "same-origin"}
    tab = Tab(browser, server, ready=False)
    tab.context.route("**/wheels.json", lambda route: route.fulfill(body=json.dumps([entry]), headers=own))
    tab.page.goto(server)
    tab.ready()
    assert tab.run("import numpy")["error"].endswith("ModuleNotFoundError: import numpy: numpy could not be had")
    tab.close()


def wheel():
    """A pure wheel made here: (file name, content)."""
    info = "pebble-1.0.dist-info/"
    files = {
        "pebble.py": "WEIGHT = 17\n", info + "METADATA": "Metadata-Version: 2.1\nName: pebble\nVersion: 1.0\n",
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }  # fmt: skip
    record = [
        "%s,sha256=%s,%d"
        % (name, base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode(), len(text))
        for name, text in files.items()
    ]
    files[info + "RECORD"] = "\n".join([*record, info + "RECORD,,"]) + "\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return "pebble-1.0-py3-none-any.whl", out.getvalue()


def test_micropip_installs_a_pure_wheel(tab, server):
    name, content = wheel()
    tab.context.route(
        "**/" + name, lambda route: route.fulfill(body=content, headers={"Cross-Origin-Resource-Policy": "same-origin"})
    )
    assert (
        tab.value(
            "import micropip\nawait micropip.install(%r)\nimport pebble\npebble.WEIGHT"
            % (server + "public/wheels/" + name)
        )
        == 17
    )


def test_a_pyscript_page_can_use_the_package_and_its_kernels(browser, server):
    tab = Tab(browser, server + "app/pyscript.html", ready=False)
    try:
        tab.wait("() => document.getElementById('answer').textContent.startsWith('loss')")
    except Exception as error:
        raise AssertionError("no answer; the page's console says %s" % tab.complaints) from error
    assert tab.text("#answer").startswith("loss 14.0, gradient [2.0, 4.0, 6.0], on wasm32")
    assert tab.complaints == [] and all(url.startswith((server, "blob:", "data:")) for url in tab.requests)
    tab.close()
