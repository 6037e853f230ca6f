"""The static build as a folder of files: its size is what README says, it carries the licences, and
it follows no link out of the tree.
"""

import re

import pytest

import serve
from tests.hosts import ROOT
from tools.setup import build, bytecode, licences

pytestmark = pytest.mark.by_file


@pytest.fixture
def links():
    """Links to a file outside, in every folder that the build reads."""
    outside = ROOT / "package.json"
    made = [
        ROOT / place
        for place in ("app/outside.js", "public/outside.json", "public/outside-loop.json", "public/outside")
    ]
    made += [bytecode.FOLDERS["tinygpt"] / "outside.py", bytecode.SHADERS / "outside.wgsl"]
    for link in made:
        link.symlink_to({"outside-loop.json": link, "outside": ROOT / "tools"}.get(link.name, outside))
    yield made
    for link in made:
        link.unlink()


@pytest.mark.alone
def test_no_link_out_of_the_tree_is_followed_and_the_size_is_what_the_readme_says(links, tmp_path):
    inside = ROOT / "public" / "inside.svg"
    inside.symlink_to("icon.svg")
    try:
        told = build.write(tmp_path / "site", serve.MADE, serve.TYPES, serve.ISOLATION)
        packed = bytecode.package_zip()
    finally:
        inside.unlink()
    written = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*")}
    assert not [name for name in written if re.search(r"outside|setup", name)]
    assert b"tinygpt/outside.py" not in packed and b"outside.wgsl" not in packed
    assert "public/inside.svg" in written, "a link inside the tree is a file"
    megabytes = float(re.search(r"files, ([\d.]+) MB", told)[1])
    (stated,) = re.findall(r"--build site .*, (\d+) MB", (ROOT / "README.md").read_text())
    assert abs(megabytes - int(stated)) < 0.1 * int(stated), "README states another size"
    text = (tmp_path / "site" / "LICENSES.txt").read_text()
    for work in ("pyodide", "@codemirror/view", "@lezer/lr", "uplot", "numpy", "CPython", "Emscripten"):
        assert work == "numpy" or "\n  %s" % work in text
    assert "Source: git+https://github.com/pyodide/pyodide" in text
    assert text == licences.text().decode()
