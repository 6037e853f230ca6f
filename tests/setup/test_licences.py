"""Everything that the page ships comes with its licence, and a work without one stops the build
with a sentence.
"""

import json
import zipfile
from pathlib import Path

import pytest

import serve
from tools.setup import SetupError, build, licences, packages, runtime, wheels

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def works():
    return licences.collect()


def test_the_licence_of_tinygpt_is_mit_and_comes_first(works):
    title, text = works[0]
    assert title == "TinyGPT" and text == (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License\n") and "TinyGPT authors" in text


def test_every_work_that_is_shipped_is_listed_with_a_text(works):
    titles = [title for title, _ in works]
    assert len(titles) == len(set(titles)) and all(text.strip() for _, text in works)
    pinned = json.loads((ROOT / "package.json").read_text())["dependencies"]
    named = {title.split()[0] for title in titles}
    assert set(pinned) - {"esbuild", "@pyscript/core"} <= named, (
        "esbuild builds, PyScript is no part of the static build"
    )
    assert {"@lezer/lr", "@lezer/common", "style-mod", "crelt", "w3c-keyname"} <= named, (
        "what CodeMirror brings into the bundle"
    )
    assert {"CPython", "Emscripten,"} <= named
    assert {entry["name"] for entry in wheels.held()} <= named
    shipped = dict(works)
    assert "Mozilla Public License" in next(text for title, text in shipped.items() if title.startswith("pyodide "))
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in next(
        text for title, text in shipped.items() if title.startswith("CPython")
    )
    assert all("public domain" in text for title, text in shipped.items() if title.startswith("TinyShakespeare"))


def test_the_versions_are_those_that_are_installed(works):
    titles = [title for title, _ in works]
    assert "uplot %s" % packages.installed("uplot") in titles and "pyodide %s" % packages.installed("pyodide") in titles


def test_server_and_static_build_have_one_text_in_utf8():
    make, suffix = serve.MADE["/LICENSES.txt"]
    text = make().decode()
    assert suffix == ".txt" and text.count(licences.RULE) == 2 * len(licences.collect())
    assert 'href="../LICENSES.txt"' in (ROOT / "app" / "learn.html").read_text()


def test_an_npm_package_without_a_text_stops_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "MODULES", tmp_path)
    monkeypatch.setattr(licences, "TEXTS", tmp_path / "texts")
    for name in ("@maker/plain", "other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "package.json").write_text('{"version": "1.2.3"}')
    with pytest.raises(
        SetupError, match=r"^@maker/plain 1\.2\.3 would be shipped without its licence: there is no text in .*plain and"
    ):
        licences.package("@maker/plain")
    (tmp_path / "other" / "LICENSE.md").write_text("  \n")
    with pytest.raises(SetupError, match="other 1.2.3 would be shipped without"):
        licences.package("other")
    (tmp_path / "other" / "LICENSE.md").write_text("Do what you like.")
    assert licences.package("other") == ("other 1.2.3", "Do what you like.")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "@maker-plain.txt").write_text("Mine.")
    assert licences.package("@maker/plain") == ("@maker/plain 1.2.3", "Mine.")


def test_a_wheel_has_its_own_text_or_the_committed_one(tmp_path, monkeypatch):
    monkeypatch.setattr(licences, "TEXTS", tmp_path)
    wheel = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("thing/licenses/__init__.py", "")
        archive.writestr("thing-1.0.dist-info/licenses/__init__.py", "")
    with pytest.raises(SetupError, match="thing 1.0 would be shipped without its licence"):
        licences.wheel(wheel)
    (tmp_path / "thing.txt").write_text("The committed one.")
    assert licences.wheel(wheel) == ("thing 1.0", "The committed one.")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("thing-1.0.dist-info/licenses/LICENSE.BSD", "Its own.")
    assert licences.wheel(wheel) == ("thing 1.0", "Its own.")


def test_something_new_in_vendor_has_to_be_somebodys(tmp_path, monkeypatch):
    monkeypatch.setattr(licences, "ROOT", tmp_path)
    monkeypatch.setattr(runtime, "VENDOR", tmp_path / "public" / "vendor")
    (tmp_path / "public" / "vendor" / "new-library").mkdir(parents=True)
    (tmp_path / "LICENSE").write_text("MIT")
    with pytest.raises(
        SetupError,
        match="public/vendor/new-library would be shipped without a licence; say in .*licences.py whose it is",
    ):
        licences.collect()


def test_a_missing_text_leaves_the_earlier_build_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(licences, "TEXTS", tmp_path / "none")
    (tmp_path / "site").mkdir()
    with pytest.raises(SetupError, match="pyodide .* would be shipped without its licence"):
        build.write(tmp_path / "site", {"/LICENSES.txt": serve.MADE["/LICENSES.txt"]}, serve.TYPES, serve.ISOLATION)
    assert list((tmp_path / "site").iterdir()) == []
