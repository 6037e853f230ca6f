"""The editor on a page of its own, with the real Python behind it: files, diff, keys, completion,
hover, and the marks of problems.
"""

import json

import pytest

from tests.page.conftest import ROOT, Tab, slowness

pytestmark = pytest.mark.browser

FILES = {name: (ROOT / "py" / "tinygpt" / name).read_text() for name in ("train.py", "model.py", "generate.py")}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><base href="/"><title>Editor</title>
<link rel="stylesheet" href="app/ui/page.css"><link rel="stylesheet" href="app/editor/editor.css">
<style>body { display: block; } #editor { height: 880px; }</style></head><body><div id="editor"></div>
<script type="module">
  import { Editor } from "/app/editor/editor.js";
  import { Session } from "/app/worker/session.js";
  const told = { run: 0, changed: [] };
  const session = new Session();
  const editor = new Editor(document.getElementById("editor"), { session });
  editor.addEventListener("run", () => told.run++);
  editor.addEventListener("change", () => told.changed.push(editor.changed));
  const ready = session.ready.then(() => session.run("import tinygpt_session.language.completion, tinygpt.train"));
  window.tinygpt = { ready, told, editor, session };
</script></body></html>"""
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def opened(browser, server, **context):
    tab = Tab(browser, server + "public/icon.svg", ready=False, **context)
    tab.allow(20)
    tab.context.route(
        "**/editor.html", lambda route: route.fulfill(body=PAGE, content_type="text/html", headers=HEADERS)
    )
    tab.page.goto(server + "editor.html")
    tab.wait("() => window.tinygpt")
    tab.ready()
    tab.page.evaluate("files => tinygpt.editor.open(files)", FILES)
    # The first question makes Python read what it answers from; the editor does not wait that long
    # for it, and asks again at the next key.
    first = {"source": "import tinygpt\ntinygpt.", "line": 2, "column": 8, "file": "train.py"}
    tab.page.evaluate("args => tinygpt.session.request('complete', args)", first)
    return tab


@pytest.fixture(scope="module")
def shared(browser, server):
    tab = opened(browser, server)
    yield tab
    tab.close()


@pytest.fixture
def editor(shared):
    """The editor with the three files as they are in the package; nothing runs."""
    shared.page.evaluate(
        """files => {
            const { editor, told } = tinygpt;
            editor.showDiff(false);
            editor.setRunning(null);
            editor.open(files);
            Object.assign(told, { run: 0, changed: [] });
        }""",
        FILES,
    )
    shared.page.keyboard.press("Escape")
    return shared


def get(tab, expression):
    return tab.page.evaluate("() => { const { editor, told, session } = tinygpt; return %s }" % expression)


def put(tab, source, file="train.py"):
    """Another text with the cursor at its ¦."""
    before, _, after = source.partition("¦")
    tab.page.evaluate(
        """([file, before, after]) => {
            const { editor } = tinygpt;
            editor.show(file);
            const { view } = editor;
            view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: before + after }, selection: { anchor: before.length },
                            scrollIntoView: true });
            view.focus();
        }""",
        [file, before, after],
    )


def cursor(tab):
    """The text with ¦ at the cursor."""
    text, at = get(tab, "[editor.view.state.doc.toString(), editor.view.state.selection.main.head]")
    return text[:at] + "¦" + text[at:]


def labels(tab, first):
    """The completions that are offered, once `first` is among them."""
    shown = "[...document.querySelectorAll('.cm-completionLabel')].map(label => label.textContent)"
    try:
        tab.wait("first => %s.includes(first)" % shown, arg=first)
    except AssertionError as error:
        raise AssertionError("%s\n%s" % (error, tab.page.evaluate(WHY_NO_LIST))) from None
    return tab.page.evaluate("() => " + shown)


# Where the list did not come: what stands at the cursor, who has the keys, what Python has not
# answered, and what it answers now.
WHY_NO_LIST = """async () => {
    const { editor: { view, shown, asking }, session } = tinygpt, { head } = view.state.selection.main;
    const line = view.state.doc.lineAt(head);
    const place = { source: view.state.doc.toString(), line: line.number, column: head - line.from, file: shown };
    return JSON.stringify({
        line: line.text, column: place.column, focus: view.hasFocus, within: document.activeElement?.className,
        list: document.querySelector('.cm-tooltip-autocomplete')?.textContent.slice(0, 300),
        unanswered: [...asking?.open.keys() ?? []],
        now: (await session.request('complete', place)).options.length,
    });
}"""


# ---- files ----


def test_the_files_are_tabs_that_keep_text_undo_selection_and_place(editor):
    page = editor.page
    assert page.locator("[role=tablist] [role=tab]").all_inner_texts() == ["train.py", "model.py", "generate.py"]
    page.click("text=model.py")
    assert editor.text("#editor .cm-content").startswith('"""The GPT')
    page.keyboard.press("Control+End")
    page.keyboard.type("# mine")
    place = page.evaluate("() => document.querySelector('#editor .cm-scroller').scrollTop")
    page.click("text=generate.py")
    page.keyboard.type("# other\n")
    page.click("text=model.py")
    assert cursor(editor).endswith("# mine¦") and place > 500
    editor.wait("place => Math.abs(document.querySelector('#editor .cm-scroller').scrollTop - place) < 30", arg=place)
    page.keyboard.press("Control+z")
    assert get(editor, "editor.files['model.py']") == FILES["model.py"]
    assert get(editor, "editor.files['generate.py']") == "# other\n" + FILES["generate.py"]
    assert get(editor, "editor.text") == FILES["train.py"]


def test_the_tabs_are_reached_and_moved_through_by_keys(editor):
    page = editor.page
    page.focus("[role=tab][aria-selected=true]")
    page.keyboard.press("ArrowRight")
    assert get(editor, "[editor.shown, document.activeElement.dataset.file]") == ["model.py", "model.py"]
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert get(editor, "editor.shown") == "train.py"
    assert page.get_attribute("[role=tabpanel]", "aria-labelledby") == page.get_attribute(
        "[role=tab][aria-selected=true]", "id"
    )
    assert page.evaluate("() => [...document.querySelectorAll('[role=tab]')].map(tab => tab.tabIndex)") == [0, -1, -1]


def test_a_dot_and_the_callback_say_what_differs_from_the_running_code(editor):
    dots = "[...document.querySelectorAll('[role=tab].changed')].map(tab => tab.dataset.file)"
    assert get(editor, "editor.changed") is False
    put(editor, FILES["train.py"] + "¦")
    editor.page.keyboard.type("x")
    assert get(editor, "[editor.changed, told.changed]") == [True, [True]] and get(editor, dots) == ["train.py"]
    assert "edited" in editor.page.locator("[role=tab].changed").first.text_content()
    editor.page.evaluate("() => tinygpt.editor.setRunning(tinygpt.editor.files)")
    assert get(editor, "[editor.changed, told.changed]") == [False, [True, False]] and get(editor, dots) == []
    editor.page.keyboard.press("Backspace")
    assert get(editor, "editor.changedFiles") == ["train.py"]
    editor.page.evaluate("() => tinygpt.editor.setRunning(null)")
    assert get(editor, "editor.changed") is False


# ---- diff and revert ----


def test_the_diff_shows_the_changed_line_and_stays_editable(editor):
    put(editor, FILES["train.py"].replace("lr=config.lr,", "lr=config.lr * 3,"))
    editor.page.evaluate("() => tinygpt.editor.showDiff(true)")
    assert editor.text("#editor .cm-changedLine").strip() == "lr=config.lr * 3,"
    assert editor.text("#editor .cm-deletedLine").strip() == "lr=config.lr,"
    editor.page.click("#editor .cm-changedLine")
    editor.page.keyboard.press("End")
    editor.page.keyboard.type("  # high")
    assert editor.text("#editor .cm-changedLine").strip() == "lr=config.lr * 3,  # high"
    editor.page.evaluate("() => tinygpt.editor.setRunning(tinygpt.editor.files)")
    assert editor.page.locator("#editor .cm-changedLine").count() == 0
    editor.page.click("text=model.py")
    editor.page.keyboard.press("Control+End")
    editor.page.keyboard.type("x = 1\n")
    assert editor.text("#editor .cm-changedLine").strip() == "x = 1"
    editor.page.evaluate("() => tinygpt.editor.showDiff(false)")
    assert editor.page.locator("#editor .cm-changedLine").count() == 0


def test_one_change_of_the_diff_can_go_back(editor):
    put(editor, FILES["train.py"].replace("lr=config.lr,", "lr=1,").replace('preset="small"', 'preset="large"'))
    editor.page.evaluate("() => tinygpt.editor.showDiff(true)")
    assert editor.page.locator("#editor .revert-change").count() == 2
    editor.page.locator("#editor .revert-change").first.click()
    assert get(editor, "editor.text") == FILES["train.py"].replace("lr=config.lr,", "lr=1,")


def test_revert_goes_back_to_the_running_text_and_can_be_undone(editor):
    edited = FILES["train.py"].replace("lr=config.lr,", "lr=1,") + "# end\n"
    put(editor, edited)
    editor.page.keyboard.press("Control+Home")
    editor.page.evaluate("() => tinygpt.editor.revert()")
    assert get(editor, "editor.text") == FILES["train.py"] and get(editor, "editor.changed") is False
    editor.page.keyboard.press("Control+z")
    assert get(editor, "editor.text") == edited and get(editor, "editor.changed") is True
    editor.page.keyboard.press("Control+y")
    assert get(editor, "editor.text") == FILES["train.py"]


# ---- keys ----


def test_ctrl_enter_runs_tab_indents_and_escape_then_tab_leaves(editor):
    put(editor, "x¦ = 1\n")
    editor.page.keyboard.press("Control+Enter")
    assert get(editor, "[told.run, editor.text]") == [1, "x = 1\n"]
    editor.page.keyboard.press("Tab")
    assert get(editor, "editor.text") == "    x = 1\n"
    editor.page.keyboard.press("Shift+Tab")
    assert get(editor, "editor.text") == "x = 1\n"
    assert "press Escape, then Tab" in editor.page.get_attribute("#editor .cm-content", "aria-label")
    editor.page.keyboard.press("Escape")
    editor.page.keyboard.press("Tab")
    assert get(editor, "editor.text") == "x = 1\n" and get(editor, "editor.view.hasFocus") is False


@pytest.mark.parametrize(
    "before, after",
    [
        ("def f():¦", "def f():\n    ¦"),
        ("class A:\n    def f(self):  # why¦", "class A:\n    def f(self):  # why\n        ¦"),
        ("def f():\n    x = 1¦", "def f():\n    x = 1\n    ¦"),
        ("def f():\n    if x:\n        return 1¦", "def f():\n    if x:\n        return 1\n    ¦"),
        ("def f():\n    return (1,\n            2)¦", "def f():\n    return (1,\n            2)\n¦"),
        ("for x in y:\n    pass¦", "for x in y:\n    pass\n¦"),
        ("for x in y:\n    if x:\n        break  # done¦", "for x in y:\n    if x:\n        break  # done\n    ¦"),
        ("for x in y:\n    if x: continue¦", "for x in y:\n    if x: continue\n    ¦"),
        ("def f():\n    raise ValueError('x')¦\n\ny = 1", "def f():\n    raise ValueError('x')\n¦\n\ny = 1"),
        ("def f():\n    returned = 1¦", "def f():\n    returned = 1\n    ¦"),
        ("x = f(¦)", "x = f(\n    ¦\n)"),
    ],
)
def test_a_new_line_has_pythons_indentation(editor, before, after):
    put(editor, before)
    editor.page.keyboard.press("Enter")
    assert cursor(editor) == after


def test_else_goes_back_to_its_if(editor):
    put(editor, "if x:\n    y = 1\n    ¦")
    editor.page.keyboard.type("else:")
    assert cursor(editor) == "if x:\n    y = 1\nelse:¦"


# ---- the running interpreter ----


def test_names_of_the_package_complete_from_the_running_interpreter(editor):
    put(editor, FILES["train.py"].replace("    model = run", "    ¦\n    model = run"))
    editor.page.keyboard.type("tinygpt.")
    assert {"arange", "clip_grad_norm_"} <= set(labels(editor, "arange"))
    editor.page.keyboard.type("man")
    assert labels(editor, "manual_seed")[0] == "manual_seed"
    editor.page.keyboard.press("Escape")
    editor.page.keyboard.press("Enter")
    editor.page.keyboard.type("optim.Ad")
    assert labels(editor, "AdamW")[0] == "AdamW"
    assert editor.text(".cm-tooltip-autocomplete li .cm-completionDetail").startswith("(params, lr=0.001")
    editor.pause(150)  # a list that has just appeared takes no key yet: it may not have been meant
    editor.page.keyboard.press("Tab")
    assert "optim.AdamW¦" in cursor(editor)


@pytest.mark.parametrize(
    "typed, more, offered, milliseconds",
    [("nobody.", "x\ntinygpt.", "arange", 100), ("tinygpt.", "man", "manual_seed", 600)],  # no option; a late answer
)
def test_what_is_typed_while_python_answers_is_completed(editor, typed, more, offered, milliseconds):
    put(editor, "import torch\n¦")
    editor.page.evaluate(
        """([more, milliseconds]) => {
            const { session, editor } = tinygpt;
            const request = session.request;
            session.request = (...args) => {
                if (args[0] !== "complete") return request.apply(session, args);
                session.request = request;
                setTimeout(() => {
                    const at = editor.view.state.selection.main.head + more.length;
                    const changes = { from: at - more.length, insert: more };
                    editor.view.dispatch({ changes, selection: { anchor: at }, userEvent: "input.type" });
                });
                return new Promise((resolve, reject) => {
                    setTimeout(() => request.apply(session, args).then(resolve, reject), milliseconds);
                });
            };
        }""",
        [more, milliseconds],
    )
    editor.page.keyboard.type(typed)
    assert offered in labels(editor, offered)


def test_a_list_that_was_begun_in_other_text_is_not_the_one_of_this_text(editor):
    """The text is replaced between a letter and its question, which is due 0.1 s later."""
    put(editor, "import tinygpt\n¦")
    editor.page.evaluate(
        """async (files) => {
            const { session, editor } = tinygpt, real = [window.setTimeout, window.clearTimeout], { request } = session;
            const due = new Map(); // what CodeMirror will do 0.1 s after a letter, in its order
            window.setTimeout = (work, ms, ...args) => {
                if (ms !== 100) return real[0].call(window, work, ms, ...args);
                due.set(1e9 + due.size, work);
                return 1e9 + due.size - 1;
            };
            window.clearTimeout = (id) => due.delete(id) || real[1].call(window, id);
            const type = (text) => {
                const { head } = editor.view.state.selection.main, selection = { anchor: head + text.length };
                editor.view.dispatch({ changes: { from: head, insert: text }, selection, userEvent: "input.type" });
            };
            const ask = () => {
                const [id, work] = [...due][0] ?? [];
                due.delete(id);
                work?.();
            };
            let answered = Promise.resolve();
            session.request = (...args) => (answered = request.apply(session, args));
            type("t");
            editor.open(files);
            const end = editor.view.state.doc.length;
            editor.view.dispatch({ changes: { from: end, insert: "\\nimport tinygpt\\n" }, selection: { anchor: end + 16 } });
            type("tiny");
            ask();
            type("gpt.");
            await answered.catch(() => {});
            await new Promise((done) => real[0].call(window, done, 50));
            ask();
            [window.setTimeout, window.clearTimeout] = real;
            session.request = request;
        }""",
        FILES,
    )
    assert "arange" in labels(editor, "arange")


def test_a_slow_answer_of_another_place_is_never_offered_here(editor):
    """Python answers `tin` half a second later, when the cursor stands behind `tinygpt.`."""
    editor.page.evaluate(
        """() => {
            const { session } = tinygpt;
            const request = session.request;
            tinygpt.asked = 0;
            session.request = (...args) => new Promise((resolve, reject) => {
                if (args[0] === "complete") tinygpt.asked++;
                setTimeout(() => request.apply(session, args).then(resolve, reject), 500);
            });
        }"""
    )
    try:
        put(editor, FILES["train.py"].replace("    model = run", "    ¦\n    model = run"))
        editor.page.keyboard.type("tin")
        editor.wait("() => tinygpt.asked")
        editor.page.keyboard.type("ygpt.")
        assert {"arange", "clip_grad_norm_"} <= set(labels(editor, "arange"))
    finally:
        editor.page.evaluate("() => delete tinygpt.session.request")
        editor.page.keyboard.press("Escape")


def test_local_variables_and_what_run_keep_made_complete(editor):
    put(editor, FILES["train.py"].replace("        optimizer.step()", "        ¦\n        optimizer.step()"))
    editor.page.keyboard.type("toke")
    assert labels(editor, "tokenizer")[0] == "tokenizer"
    editor.page.keyboard.press("Escape")
    editor.page.keyboard.press("Shift+Home")
    editor.page.keyboard.type("optimizer.pa")
    assert "param_groups" in labels(editor, "param_groups")


def test_nothing_is_offered_in_comments_and_strings(editor):
    put(editor, "import tinygpt\n# tinygpt¦\n")
    editor.page.keyboard.type(".")
    editor.pause(500)
    assert editor.page.locator(".cm-tooltip-autocomplete").count() == 0


def test_hover_and_ctrl_i_tell_signature_and_docstring(editor):
    put(editor, FILES["train.py"].replace("AdamW", "Ad¦amW"))
    name = editor.page.locator("#editor .cm-line", has_text="optim.AdamW(").first
    box = editor.page.evaluate(
        "() => { const { view } = tinygpt.editor; return view.coordsAtPos(view.state.selection.main.head) }"
    )
    assert name.is_visible()
    editor.page.mouse.move(box["left"] + 2, (box["top"] + box["bottom"]) / 2)
    told = editor.page.locator(".cm-tooltip-hover .cm-describe")
    told.wait_for()
    assert told.inner_text().startswith("AdamW(params, lr=0.001") and "Adam" in told.locator("p").inner_text()
    editor.page.mouse.move(5, 5)
    editor.page.locator(".cm-tooltip-hover").wait_for(state="detached")
    editor.page.keyboard.press("Control+i")
    editor.page.locator(".cm-describe").wait_for()
    editor.page.keyboard.press("Escape")
    assert editor.page.locator(".cm-describe").count() == 0


def test_problems_are_marked_while_typing(editor):
    put(editor, FILES["train.py"].replace("logits, loss = model(x, y)", "logits, loss = model(x, y¦"))
    mark = editor.page.locator("#editor .cm-lintRange-error").first
    mark.wait_for()
    assert mark.inner_text() == "("
    editor.page.keyboard.type(")")
    mark.wait_for(state="detached")
    put(editor, FILES["train.py"].replace("model(x, y)", "model(x, z)"))
    warning = editor.page.locator("#editor .cm-lintRange-warning")
    warning.wait_for()
    assert warning.inner_text() == "z"
    for name in FILES:
        editor.page.click("text=" + name)
        put(editor, FILES[name], name)
        editor.pause(900)
        assert editor.page.locator("#editor .cm-lintRange").count() == 0, name


def test_the_line_of_an_error_is_marked_in_its_file_until_it_is_edited(editor):
    lines = FILES["model.py"].split("\n")
    number = 1 + next(i for i, line in enumerate(lines) if line.startswith("def "))
    editor.page.evaluate("number => tinygpt.editor.markError(number, 'ValueError: too wide', 'model.py')", number)
    assert get(editor, "editor.shown") == "model.py"
    assert editor.text("#editor .cm-error-line") == lines[number - 1]
    editor.page.hover("#editor .cm-lint-marker-error")
    editor.page.locator(".cm-tooltip-lint >> text=ValueError: too wide").wait_for()
    editor.page.click("#editor .cm-error-line")
    editor.page.keyboard.type("x")
    assert editor.page.locator("#editor .cm-error-line").count() == 0
    editor.page.evaluate("() => { tinygpt.editor.markError(3, 'again'); tinygpt.editor.clearError() }")
    assert get(editor, "editor.shown") == "train.py" and editor.page.locator("#editor .cm-error-line").count() == 0


# ---- a Python that is busy ----


@pytest.mark.alone
def test_a_busy_python_does_not_hold_up_typing(editor):
    """Words of the document complete after 300 ms; late answers are dropped and no more questions
    are sent meanwhile.
    """
    page = editor.page
    seconds = 4 * slowness()
    page.evaluate(
        "(source) => { window.busy = tinygpt.session.run(source) }",
        "import time\nt = time.time()\nwhile time.time() - t < %f: pass" % seconds,
    )
    put(editor, "unusual_word = 1\n¦")
    worst = page.evaluate("""async () => {
        const { view } = tinygpt.editor;
        let worst = 0;
        for (const key of "unusu") {
            const begun = performance.now();
            view.dispatch({ ...view.state.replaceSelection(key), userEvent: "input.type" });
            worst = Math.max(worst, performance.now() - begun);
            await new Promise(requestAnimationFrame);
        }
        return worst;
    }""")
    assert worst < 50 * slowness(), worst
    assert "unusual_word" in labels(editor, "unusual_word")
    page.evaluate("() => busy")


def test_while_the_loop_runs_its_own_variables_complete_with_what_they_hold(editor):
    page = editor.page
    page.evaluate("() => tinygpt.editor.setRunning(tinygpt.editor.files)")
    steps = "() => new Promise(r => tinygpt.session.addEventListener('training', () => r(), { once: true }))"
    page.evaluate("""source => {
        const settings = { preset: "tiny", steps: 100000, eval_interval: 100000, sample_interval: 100000 };
        window.busy = tinygpt.session.run(source, { mode: "script", options: { settings, files: {} } });
    }""", FILES["train.py"])  # fmt: skip
    page.evaluate(steps)
    editor.pause(1000)
    put(editor, FILES["train.py"].replace("    for i in run.steps", "    ¦\n    for i in run.steps"))
    page.keyboard.type("lr")
    assert labels(editor, "lr")[0] == "lr"
    assert 0 < float(editor.text(".cm-tooltip-autocomplete li[aria-selected] .cm-completionDetail")) < 1
    page.keyboard.press("Escape")
    page.keyboard.type("\nmodel.bl")
    assert labels(editor, "blocks")[0] == "blocks"
    page.evaluate("() => { tinygpt.session.interrupt(); return busy }")


PLACES = {
    "complete": [
        ("train.py", "loss.backward()", "tinygpt.¦"),
        ("train.py", "loss.backward()", "l¦"),
        ("model.py", "F.silu(", "s¦("),
    ],
    "describe": [("train.py", "AdamW", "Ada¦mW")],
    "check": [("model.py", "", "¦")],
}


@pytest.mark.alone
@pytest.mark.parametrize("name", PLACES)
def test_answers_take_less_than_30_ms_in_the_tab(editor, name):
    for file, old, new in PLACES[name]:
        before, _, after = FILES[file].replace(old, new, 1).partition("¦")
        args = {
            "source": before + after,
            "line": before.count("\n") + 1,
            "column": len(before.rpartition("\n")[2]),
            "file": file,
        }
        timed = """
import json, time
from tinygpt_session.language.%s import %s as asked
args, times = json.loads(%r), []
while len(times) < 5 or min(times) > 30 and len(times) < 40:  # other work on the machine is not the page's fault
    begun = time.perf_counter()
    asked(args)
    times.append((time.perf_counter() - begun) * 1000)
min(times)""" % ("diagnostics" if name == "check" else "completion", name, json.dumps(args))  # fmt: skip
        took = editor.page.evaluate("source => tinygpt.session.run(source)", timed)
        assert took["result"] < 30 * slowness(), (took, file)


def test_nothing_complained(shared):
    """Last in this file."""
    assert [text for text in shared.complaints if "404" not in text] == []  # (of favicon.ico)
