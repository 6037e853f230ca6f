"""The visitor's files come by a drop, run with arguments as `python FILE ARGUMENTS` does, find
each other, write files that appear, and are there after a reload.
"""

import base64
import io
import zipfile

import pytest

from tests.page.conftest import Tab, accessible

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
MAIN = """
import argparse, os, sys, helper, pack.inner
from data_of import read
parser = argparse.ArgumentParser()
parser.add_argument("--max_iters", type=int)
print("asked", parser.parse_args().max_iters, __name__, os.path.basename(__file__))
print(helper.word(), pack.inner.VALUE, read())
open("out.txt", "w").write("written\\n")
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
    tab.page.evaluate("() => (document.getElementById('status').textContent = 'Starting')")
    tab.page.click("#run")
    return ended(tab)


def ended(tab):
    tab.wait(
        "() => !tinygpt.state().running && !/^(Starting|Running)/.test(document.getElementById('status').textContent)"
    )
    return tab.text("#status")


def test_a_dropped_program_runs_with_its_arguments_and_is_there_after_a_reload(tab):
    drop(tab, {"proj.zip": archive(FILES)})
    tab.wait("() => tinygpt.files().length === 6")
    tab.wait("() => document.getElementById('files-program').value === 'proj/main.py'")
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


def said(tab):
    return tab.text(".files-note")


def clear(tab):
    """No file is left, and train.py is what Run runs."""
    tab.page.evaluate("""async () => {
        const {visitors} = tinygpt;
        visitors.choose(null);
        visitors.fold(false);
        await visitors.flush();
        await visitors.tree.remove(visitors.tree.paths);
    }""")


@pytest.fixture
def empty(tab):
    clear(tab)
    yield tab
    if tab.page.evaluate("() => tinygpt.state().running"):
        tab.page.evaluate("() => tinygpt.stop()")
    tab.wait("() => !tinygpt.state().running")
    tab.page.evaluate("() => tinygpt.reset()")


def test_files_are_made_renamed_deleted_and_put_back_by_keys(empty):
    tab, page = empty, empty.page
    page.click("#files >> text=New")
    page.keyboard.type("../x.py\n")
    tab.wait("() => /empty, a dot/.test(document.querySelector('.files-note').textContent)")
    page.fill("#files-name", "train.py")
    page.keyboard.press("Enter")
    tab.wait("() => /one of the page's own/.test(document.querySelector('.files-note').textContent)")
    page.fill("#files-name", "lib/words.py")
    page.keyboard.press("Enter")
    tab.wait(
        "() => document.querySelector('#editor [role=tab][aria-selected=true]').textContent.startsWith('words.py')"
    )
    page.click("#editor .cm-content")
    page.keyboard.insert_text("WORD = 'typed'\n")
    tab.wait("() => tinygpt.files()[0]?.bytes === 15")
    page.click("#files [role=treeitem] >> text=words.py")
    page.keyboard.press("F2")
    page.fill("#files-name", "lib/other.py")
    page.keyboard.press("Enter")
    tab.wait("() => tinygpt.files()[0]?.path === 'lib/other.py'")
    tab.wait("() => [...document.querySelectorAll('#editor [role=tab]')].at(-1).textContent.startsWith('other.py')")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("() => document.activeElement.dataset.path") == "lib"
    page.keyboard.press("ArrowLeft")
    assert page.locator("#files [role=treeitem]").count() == 1
    page.keyboard.press("ArrowRight")
    assert accessible(tab, "#code") == []
    page.keyboard.press("Delete")
    tab.wait("() => tinygpt.files().length === 0")
    assert page.locator("#editor [role=tab]").count() == 3
    page.click(".files-said button")
    tab.wait("() => tinygpt.files().length === 1")
    assert tab.run_editor("import lib.other\nprint(lib.other.WORD)").startswith("Finished"), "train.py imports it too"


BAD = {
    "climbs.zip": (archive({"a.py": "", "../../evil.py": "x"}), "empty, a dot"),
    "absolute.zip": (archive({"/a.py": ""}), "empty, a dot"),
    "bomb.zip": (archive({"a.bin": b"\0" * 65_000_000}), "unpacks to more than this page takes"),
    "cut.zip": (archive(FILES)[:-60], "it is no zip archive, or it is cut off"),
    "other.zip": (b"not a zip", "it is no zip archive"),
    "many.zip": (archive({"f%d.py" % i: "" for i in range(1001)}), "has 1,001 files: there may be 1,000"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_archive_beyond_the_limits_changes_nothing(empty, name):
    content, sentence = BAD[name]
    drop(empty, {name: content})
    empty.wait("sentence => document.querySelector('.files-note.bad')?.textContent.includes(sentence)", sentence)
    assert paths(empty) == []


def test_files_keep_apart_from_the_pages_own_and_bytes_are_no_text(empty):
    shipped = empty.page.evaluate("() => tinygpt.source()")
    drop(empty, {"train.py": b"import model", "model.py": b"print('theirs')"})
    empty.wait("() => tinygpt.files().length === 2")
    assert paths(empty) == ["program/model.py", "program/train.py"]
    empty.wait("() => document.getElementById('files-program').value === 'program/train.py'")
    assert empty.page.evaluate("() => tinygpt.source()") == shipped
    drop(empty, {"numbers.bin": bytes(range(256))}, on="#files")
    empty.wait("() => tinygpt.files().length === 3")
    empty.wait(
        "() => /numbers.bin is not a text that the editor/.test(document.querySelector('.files-note').textContent)"
    )
    empty.page.fill("#files-arguments", "it's")
    assert "No closing quotation" in run(empty)
    empty.page.fill("#files-arguments", "")
    assert run(empty).startswith("Finished")
    empty.wait("() => document.getElementById('console-output').innerText.includes('theirs')")
    assert empty.value("len(open('/home/pyodide/numbers.bin', 'rb').read())") == 256


TORCH = """
import torch, helper
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
torch.save(model.state_dict(), "ckpt.pt")
for i in range(10**7):
    loss = helper.loss(model)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
HELPER = b"def loss(model):\n    return model.weight.sum() ** 2\n"


def test_a_torch_program_pauses_and_takes_edits_of_its_modules(empty):
    tab, page = empty, empty.page
    drop(tab, {"main.py": TORCH.encode(), "helper.py": HELPER})
    tab.wait("() => document.getElementById('files-program').value === 'main.py'")
    page.click("#run")
    tab.wait("() => tinygpt.state().step >= 20")
    page.evaluate("() => tinygpt.pause()")
    tab.wait("() => /^Paused/.test(document.getElementById('status').textContent)")
    tab.wait("() => tinygpt.files().some(({path}) => path === 'ckpt.pt')")
    page.evaluate("() => tinygpt.resume()")
    page.click("#files [role=treeitem] >> text=helper.py")
    page.click("#editor .cm-content")
    page.keyboard.press("Control+End")
    page.keyboard.press("Backspace")
    page.keyboard.type(" + 1000")
    page.keyboard.press("Control+Enter")
    tab.wait("() => /^Applied at step/.test(document.getElementById('status').textContent)")
    tab.wait("() => tinygpt.state().loss > 900")
    page.evaluate("() => tinygpt.stop()")
    tab.wait("() => /^Stopped/.test(document.getElementById('status').textContent)")


def test_an_error_in_a_module_is_shown_there(empty):
    drop(empty, {"main.py": b"import helper", "helper.py": b"a = 1\nb = nowhere\n"})
    empty.wait("() => document.getElementById('files-program').value === 'main.py'")
    assert "helper.py, line 2: NameError" in run(empty)


def test_two_tabs_have_the_same_files_and_lose_none(browser, server):
    one = Tab(browser, server)
    drop(one, {"a.py": b"first"})
    one.wait("() => tinygpt.files().length === 1")
    two = one.context.new_page()
    two.goto(server)
    two.evaluate("() => tinygpt.ready")
    two.wait_for_function("() => tinygpt.files().length === 1")
    one.page.click("#editor .cm-content")
    one.page.keyboard.press("Control+End")
    one.page.keyboard.type(" of one")
    two.wait_for_function("() => tinygpt.files()[0]?.bytes === 12")
    # Both write before they hear of each other.
    put = "text => tinygpt.visitors.tree.put([{path: 'a.py', blob: new Blob([text])}])"
    two.evaluate("() => (tinygpt.visitors.tree.load = async () => {})")
    one.page.evaluate(put, "one's")
    two.evaluate(put, "two's")
    one.wait("() => tinygpt.files().length === 2")
    texts = "() => Promise.all(tinygpt.files().map(({path}) => tinygpt.visitors.tree.text(path)))"
    assert sorted(one.page.evaluate(texts)) == ["one's", "two's"]
    # What is typed while another tab's version comes.
    one.page.click("#editor .cm-content")
    one.page.keyboard.press("Home")
    one.page.keyboard.type("typed ")
    two.evaluate(put, "two's second")
    one.wait("() => tinygpt.files().length === 3")
    assert sorted(one.page.evaluate(texts)) == ["one's", "two's second", "typed two's"]
    one.close()


def test_without_a_private_file_system_they_are_kept_until_the_page_closes(browser, server):
    tab = Tab(browser, server, ready=False)
    tab.page.add_init_script("delete StorageManager.prototype.getDirectory")
    tab.page.reload()
    tab.ready()
    drop(tab, {"a.py": b"print('it', 'runs')"})
    tab.wait("() => document.getElementById('files-program').value === 'a.py'")
    assert run(tab).startswith("Finished")
    tab.wait("() => document.getElementById('console-output').innerText.includes('it runs')")
    tab.page.click("#files [role=treeitem]")
    assert "cannot store files for pages" in said(tab)
    tab.close()
