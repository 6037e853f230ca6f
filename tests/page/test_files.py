"""The visitor's files come by a drop, run with arguments as `python FILE ARGUMENTS` does, find
each other, write files that appear, and are there after a reload.
"""

import base64
import io
import zipfile

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
MAIN = """
import argparse, os, sys, helper, pack.inner
from data_of import read
parser = argparse.ArgumentParser()
parser.add_argument("--max_iters", type=int)
print("asked", parser.parse_args().max_iters, __name__, os.path.basename(__file__))
print(helper.word(), pack.inner.VALUE, read())
open("made/out.txt", "w").write("written\\n") if os.path.isdir("made") else open("out.txt", "w").write("written\\n")
"""
FILES = {
    "proj/main.py": MAIN,
    "proj/helper.py": "def word():\n    return 'first'\n",
    "proj/data_of.py": "def read():\n    return open('data/x.txt').read().strip()\n",
    "proj/pack/__init__.py": "",
    "proj/pack/inner.py": "VALUE = 42\n",
    "proj/data/x.txt": "of a file\n",
}
# What a drop says: a DataTransfer of files on an element.
DROP = """([selector, files]) => {
  const data = new DataTransfer();
  for (const [name, content] of files)
    data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
  const target = document.querySelector(selector);
  for (const type of ["dragover", "drop"])
    target.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def drop(tab, files, on="#editor .cm-content"):
    tab.page.evaluate(DROP, [on, [[name, base64.b64encode(content).decode()] for name, content in files.items()]])


def archive(files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            file.writestr(name, text)
    return made.getvalue()


def paths(tab):
    return tab.page.evaluate("() => tinygpt.files().map(({path}) => path)")


def run(tab):
    """Presses Run and waits for the end; the status line."""
    tab.page.click("#run")
    tab.wait("() => document.body.dataset.phase === 'running'")
    tab.wait("() => document.body.dataset.state === 'ready' && document.body.dataset.phase !== 'running'")
    return tab.text("#status")


def test_a_dropped_program_runs_with_its_arguments_and_is_there_after_a_reload(tab):
    drop(tab, {"proj.zip": archive(FILES)})
    tab.wait("() => tinygpt.files().length === 6")
    assert tab.page.input_value("#files-program") == "proj/main.py"
    assert "asked" not in tab.text("#console-output"), "it ran by itself"
    tab.page.fill("#files-arguments", "--max_iters 100")
    assert run(tab).startswith("Finished")
    tab.wait("() => document.getElementById('console-output').innerText.includes('first 42 of a file')")
    assert "asked 100 __main__ main.py" in tab.text("#console-output")
    tab.wait("() => tinygpt.files().some(({path}) => path === 'proj/out.txt')")
    tab.page.reload()
    tab.ready()
    tab.wait("() => tinygpt.files().length === 7")
    assert tab.page.evaluate("() => tinygpt.files().every(({kept}) => kept === true)")
    assert tab.page.input_value("#files-arguments") == "--max_iters 100"
    tab.page.evaluate("() => document.getElementById('console-output').replaceChildren()")
    assert run(tab).startswith("Finished")
    tab.wait("() => document.getElementById('console-output').innerText.includes('first 42 of a file')")
