"""A link with code and settings: what goes in comes out, nothing of it runs by itself, and a
hostile one changes nothing.
"""

import base64
import json
import zlib

import pytest

from tests.page.conftest import ROOT, Tab

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
SHIPPED = (ROOT / "py/tinygpt/train.py").read_text()
HELD = "This code came with the link. Nothing has run: read it, then press Run."
# Every way in which mere reading might execute a part: top level, decorators, defaults,
# annotations, class bodies, attributes.
MARKS = """
import builtins
builtins.HOSTILE = "top level"
import tinygpt
def mark(where, *args, **options):
    builtins.HOSTILE = where
    return mark
class Meta(type):
    def __getattr__(cls, name): builtins.HOSTILE = "attribute"
    def __dir__(cls): builtins.HOSTILE = "dir"
@mark("decorator")
def f(x: mark("annotation") = mark("default")): mark("body")
class A(mark("base") and object, metaclass=mark("metaclass") and Meta):
    y = mark("class body")
    @property
    def z(self): builtins.HOSTILE = "property"
print(A().z, A.nothing, f"{mark('format')}", lambda: mark('lambda'))
import js
js.hostile = 1
"""


def packed(state):
    """The fragment for a value, or for bytes that shall stand for its JSON."""
    content = state if isinstance(state, bytes) else json.dumps(state).encode()
    pack = zlib.compressobj(9, wbits=-15)
    return "#share=1." + base64.urlsafe_b64encode(pack.compress(content) + pack.flush()).decode().rstrip("=")


def at_ease(tab):
    """The shipped code and settings, no link."""
    tab.page.evaluate("() => { history.replaceState(null, '', location.pathname) }")
    tab.page.evaluate("() => { location.hash = '#share=0.A' }")
    tab.wait("() => !document.getElementById('link-bar').hidden")
    tab.page.click("#link-bar >> text=Close")
    if tab.page.evaluate("() => tinygpt.source()") != SHIPPED:
        follow(tab, packed({"files": {"train.py": SHIPPED + "#"}}))
        tab.page.click("#link-bar >> text=Back to the shipped code")
    assert tab.page.evaluate("() => tinygpt.source()") == SHIPPED


def follow(tab, fragment):
    """Opens a link in the page that is there; the bar's words."""
    tab.page.evaluate(
        "() => { document.getElementById('link-bar').hidden = true; history.replaceState(null, '', location.pathname) }"
    )
    tab.page.evaluate("(fragment) => { location.hash = fragment }", fragment)
    tab.wait("() => !document.getElementById('link-bar').hidden")
    return tab.text("#link-bar p")


def open_link(browser, server, fragment):
    return Tab(browser, server + fragment)


def test_what_is_shared_comes_back(browser, server, tab):
    source = SHIPPED + "\n# ünï → 😀\nanswer = 42\n"
    tab.write(source)
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "37")
    tab.page.fill("#setting-seed", "7")
    tab.page.fill("#setting-lr", "0.002")
    tab.page.keyboard.press("Tab")
    tab.page.select_option("#setting-corpus", "stdlib")
    link = tab.page.evaluate("() => tinygpt.share({title: 'A <b>bold</b> idea'})")
    assert link.startswith(server + "#share=1.") and len(link) < 8000
    other = Tab(browser, link)
    assert other.page.evaluate("() => tinygpt.source()") == source
    values = {name: other.page.input_value("#setting-" + name) for name in ("preset", "steps", "seed", "lr", "corpus")}
    assert values == {"preset": "tiny", "steps": "37", "seed": "7", "lr": "0.002", "corpus": "stdlib"}
    said = other.text("#link-bar p")
    assert said.startswith(
        "“A <b>bold</b> idea”. train.py came with the link. It has not run yet: read it, then press Run."
    )
    assert other.text("#status") == HELD
    assert other.page.evaluate("() => tinygpt.history().length") == 0 and not other.page.evaluate(
        "() => tinygpt.state().running"
    )
    again = other.page.evaluate("() => tinygpt.share({title: 'A <b>bold</b> idea'})")
    assert again == link
    other.page.click("#run")
    other.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    assert other.page.evaluate("() => tinygpt.state().step") == 37 and other.value("answer") == 42
    assert other.text("#link-bar p") == "train.py came with a link."
    other.page.click("#link-bar >> text=Back to the shipped code")
    assert (
        other.page.evaluate("() => tinygpt.source()") == SHIPPED and other.page.input_value("#setting-steps") == "1500"
    )
    assert other.complaints == []
    other.close()


def test_the_button_copies_the_link_and_says_how_long_it_is(browser, server):
    tab = Tab(browser, server, permissions=["clipboard-read", "clipboard-write"])
    tab.write(SHIPPED.replace("train", "practise", 1))
    tab.page.click("#share")
    tab.wait("() => document.getElementById('status').textContent.startsWith('Link copied')")
    copied = tab.page.evaluate("() => navigator.clipboard.readText()")
    assert copied == tab.page.evaluate("() => tinygpt.share()")
    assert tab.text("#status") == "Link copied: %s characters, with train.py and the settings." % format(
        len(copied), ","
    )
    noise = base64.b64encode(b"".join(zlib.crc32(str(i).encode()).to_bytes(4, "big") for i in range(3000))).decode()
    tab.write("# " + noise)
    tab.page.click("#share")
    tab.wait("() => document.getElementById('status').textContent.includes('Some programs cut links')")
    assert len(tab.page.evaluate("() => navigator.clipboard.readText()")) > 8000
    tab.close()


def test_a_link_that_cannot_be_copied_is_shown(browser, server):
    tab = Tab(browser, server)  # without the permission
    tab.page.evaluate(
        "() => { navigator.clipboard.write = navigator.clipboard.writeText = () => Promise.reject(new Error('denied')) }"
    )
    tab.page.click("#share")
    tab.page.wait_for_selector("#link-bar input")
    assert tab.page.input_value("#link-bar input") == tab.page.evaluate("() => tinygpt.share()")
    assert "the code is the shipped one" in tab.text("#link-bar p")
    tab.close()


def test_nothing_of_a_link_runs_before_run_is_pressed(browser, server):
    """Not on load, not by completion, hover or lint, not by another tab of the editor, another
    panel, another button, or a resumed run.
    """
    fragment = packed({"files": {"train.py": MARKS + SHIPPED, "model.py": MARKS, "generate.py": MARKS}})
    tab = open_link(browser, server, fragment)
    innocent = "import builtins, js\n[getattr(builtins, 'HOSTILE', None), hasattr(js, 'hostile')]"
    clean = [None, False]
    assert tab.text("#status") == HELD and tab.value(innocent) == clean
    for name in ("model.py", "generate.py", "train.py"):
        tab.page.click("[data-file='%s']" % name)
    lines = MARKS.split("\n")
    # the editor's own questions, at every name: complete after "A.", hover over f and A, and lint
    # as it is typed
    tab.page.click("#editor .cm-content")
    tab.page.keyboard.press("Control+End")
    tab.page.keyboard.insert_text("\nA")
    tab.page.keyboard.type(".")
    tab.page.wait_for_selector(".cm-tooltip-autocomplete, .cm-diagnostic, .cm-lintRange")
    for line, column in [(lines.index("js.hostile = 1"), 0), (2, 10)]:
        tab.page.keyboard.press("Control+Home")
        for _ in range(line):
            tab.page.keyboard.press("ArrowDown")
        box = tab.page.locator(".cm-activeLine").first.bounding_box()
        tab.page.mouse.move(box["x"] + 4 + 8 * column, box["y"] + 8)
        tab.page.keyboard.press("Control+ ")
    from_python = tab.value(
        "import tinygpt_session.language.completion as c, tinygpt_session.language.diagnostics as k\n"
        "source = %r\n"
        "for file in ('train.py', 'model.py', 'generate.py'):\n"
        "    k.check({'source': source, 'file': file})\n"
        "    for n, text in enumerate(source.split('\\n'), 1):\n"
        "        for column in range(len(text) + 1):\n"
        "            for handler in (c.complete, c.describe):\n"
        "                handler({'source': source, 'line': n, 'column': column, 'file': file}, None)\n"
        "%s" % (MARKS + "A.\nf.\nA().z.\nfrom A import \nimport antigravity\nantigravity.", innocent)
    )
    assert from_python == clean
    for button in ("#train-own", "#step", "#load-model"):
        tab.page.click(button)
        if button != "#load-model":
            tab.wait(
                "held => document.getElementById('status').textContent === held && document.getElementById('status').className === 'bad'",
                HELD,
            )
    assert tab.page.evaluate("() => tinygpt.state().running") is False
    for name in ("generate", "inside", "samples"):
        tab.page.click("#tab-" + name)
    refused = tab.page.evaluate("() => tinygpt.step()")
    assert tab.value(innocent) == clean, refused
    tab.page.keyboard.press("Escape")
    tab.page.click("#run")
    tab.page.click("#question >> text=Run anyway")  # the model that was loaded
    tab.wait("() => !tinygpt.state().running")
    assert tab.value(innocent) != clean, "the marks do mark where the code runs"
    tab.close()


def test_a_stopped_run_does_not_go_on_with_code_from_a_link(browser, server):
    tab = Tab(browser, server)
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "20")
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    follow(
        tab,
        packed({"files": {"train.py": "import builtins\nbuiltins.HOSTILE = 1\n" + SHIPPED}, "settings": {"steps": 40}}),
    )
    tab.page.click("#pause")  # Resume
    tab.wait("held => document.getElementById('status').textContent === held", HELD)
    assert tab.page.evaluate("() => tinygpt.resume()") == {"ok": False, "error": HELD}
    assert tab.value("import builtins\nhasattr(builtins, 'HOSTILE')") is False
    tab.page.click("#link-bar >> text=Undo: restore what was here")
    assert tab.page.evaluate("() => tinygpt.source()") == SHIPPED and tab.page.input_value("#setting-steps") == "20"
    tab.page.fill("#setting-steps", "30")
    tab.page.click("#pause")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent) && tinygpt.state().step === 30")
    assert tab.value("hasattr(builtins, 'HOSTILE')") is False
    tab.close()


def test_a_link_that_comes_during_a_run_waits_for_apply(browser, server):
    tab = Tab(browser, server)
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "100000")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 3")
    said = follow(tab, packed({"files": {"train.py": "from_a_link = 1\n" + SHIPPED}}))
    assert "read it, then press Apply, or stop the run and press Run" in said
    at = tab.page.evaluate("() => tinygpt.state().step")
    tab.wait("at => tinygpt.state().step > at + 3", at)
    assert tab.page.is_enabled("#apply")
    tab.page.click("#apply")
    tab.wait("() => document.getElementById('status').textContent.startsWith('Applied at step')")
    assert tab.text("#link-bar p") == "train.py came with a link."
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    tab.close()


def test_edits_are_not_lost_to_a_link(tab):
    at_ease(tab)
    mine = SHIPPED + "\nmine = True\n"
    tab.write(mine)
    tab.page.fill("#setting-steps", "77")
    tab.page.keyboard.press("Tab")
    follow(
        tab,
        packed(
            {"files": {"train.py": "theirs = 1\n", "model.py": "theirs = 2\n"}, "settings": {"steps": 5, "seed": 9}}
        ),
    )
    assert (
        tab.page.evaluate("() => tinygpt.source()") == "theirs = 1\n" and tab.page.input_value("#setting-seed") == "9"
    )
    tab.page.click("#link-bar >> text=Undo: restore what was here")
    assert tab.page.evaluate("() => tinygpt.source()") == mine and tab.page.input_value("#setting-steps") == "77"
    assert tab.page.input_value("#setting-seed") == "42" and tab.page.locator(".editor-bar .changed").count() == 1
    follow(tab, packed({"files": {"train.py": "theirs = 3\n"}}))
    tab.page.click("#editor .cm-content")
    tab.page.keyboard.press("Control+z")
    assert tab.page.evaluate("() => tinygpt.source()") == mine, "one undo step"
    tab.page.click("#link-bar >> text=Back to the shipped code")
    assert tab.page.evaluate("() => tinygpt.source()") == SHIPPED and tab.page.input_value("#setting-steps") == "1500"


def test_the_difference_to_the_shipped_code_is_shown(tab):
    at_ease(tab)
    follow(tab, packed({"files": {"train.py": SHIPPED + "\nadded = 1" + " " * 200 + "# far away\n"}}))
    assert "1 line is longer than 160 characters: scroll to the end." in tab.text("#link-bar p")
    tab.page.click("#link-bar >> text=Show the difference")
    tab.page.wait_for_selector("#editor .cm-changedLine")
    assert tab.page.get_attribute("#diff", "aria-pressed") == "true"
    tab.page.click("#link-bar >> text=Back to the shipped code")
    assert tab.page.get_attribute("#diff", "aria-pressed") == "false" and tab.page.is_hidden("#link-bar")


def test_characters_that_turn_the_direction_of_text_are_seen(tab):
    at_ease(tab)
    follow(tab, packed({"files": {"train.py": "x = 1  # \u202e\u2066 turned \u202a\u200b\n"}}))
    tab.page.wait_for_selector("#editor .cm-specialChar")
    assert tab.page.locator("#editor .cm-specialChar").count() == 4
    at_ease(tab)


def test_a_text_that_is_not_here_is_named(tab):
    at_ease(tab)
    said = follow(tab, packed({"settings": {"corpus": "my own letters", "seed": 3}}))
    assert "Its text, my own letters, is not in this browser" in said and "the code is the shipped one" in said
    assert tab.page.input_value("#setting-corpus") == "shakespeare" and tab.page.input_value("#setting-seed") == "3"
    tab.page.click("#link-bar >> text=Back to the shipped code")
    assert tab.page.input_value("#setting-seed") == "42"


DEEP = b"[" * 200_000 + b"]" * 200_000
HOSTILE = {
    "letters that base64 has not": ("#share=1.<script>", "cut off or damaged"),
    "base64 cut off": ("#share=1.A", "cut off or damaged"),
    "nothing": ("#share=", "cut off or damaged"),
    "no content": ("#share=1.", "cut off or damaged"),
    "a newer format": ("#share=2.AAAA", "format 2, and this page reads format 1"),
    "not deflate": (
        "#share=1." + base64.urlsafe_b64encode(bytes(range(256))).decode().rstrip("="),
        "cut off or damaged",
    ),
    "deflate cut off": (packed({"files": {"train.py": SHIPPED}})[:-40], "cut off or damaged"),
    "something behind it": (packed({"settings": {"seed": 1}}) + "AAAAAAAA", "cut off or damaged"),
    "a bomb": (packed(b" " * 200_000_000), "unpacks to more than 1 MB"),
    "a long one": ("#share=1." + "A" * 300_001, "300,010 characters"),
    "not UTF-8": (packed(b'{"title": "\xff\xfe"}'), "not readable"),
    "not JSON": (packed(b"{title: 1}"), "not readable"),
    "deep JSON": (packed(DEEP), "not readable|instead of an object"),
    "a list": (packed([1]), "is a list instead of an object"),
    "null": (packed(None), "is nothing instead of an object"),
    "an unknown name": (packed({"exec": "1"}), 'it has "exec", which this page does not know'),
    "a prototype": (packed(b'{"__proto__": {"files": {"train.py": "1"}}}'), 'it has "__proto__"'),
    "a prototype among the settings": (
        packed(b'{"settings": {"__proto__": {"fits": 1}, "seed": 1}}'),
        'its settings have "__proto__"',
    ),
    "a constructor among the settings": (packed({"settings": {"constructor": 1}}), 'its settings have "constructor"'),
    "a prototype among the files": (packed(b'{"files": {"__proto__": "x"}}'), 'its code has "__proto__"'),
    "another file": (packed({"files": {"../main.js": "alert(1)"}}), 'its code has "../main.js"'),
    "code that is a number": (packed({"files": {"train.py": 1}}), "its train.py is a number instead of text"),
    "code that is an object": (
        packed({"files": {"train.py": {"toString": "x"}}}),
        "its train.py is an object instead of text",
    ),
    "files that are a text": (packed({"files": "train.py"}), "its code is a text instead of an object"),
    "code with half a character": (packed(b'{"files": {"train.py": "\\ud800"}}'), "characters that are not text"),
    "code with a null": (packed({"files": {"train.py": "a\0b"}}), "characters that are not text"),
    "a title that is too long": (packed({"title": "x" * 81}), "title is not a line of at most 80"),
    "a title of lines": (packed({"title": "a\nb"}), "title is not a line"),
    "a title that turns": (packed({"title": "\u202eabc"}), "title is not a line"),
    "a preset that is not": (
        packed({"settings": {"preset": "huge<script>"}}),
        'its setting preset is "huge<script>", not one of',
    ),
    "a preset of a prototype": (packed({"settings": {"preset": "toString"}}), 'its setting preset is "toString"'),
    "no steps": (packed({"settings": {"steps": 0}}), "its setting steps is 0, not a whole number from 1"),
    "half a step": (packed({"settings": {"steps": 1.5}}), "its setting steps is 1.5"),
    "steps as text": (packed({"settings": {"steps": "5; import os"}}), 'its setting steps is "5; import os"'),
    "a batch for no machine": (packed({"settings": {"batch_size": 10**9}}), "batch_size is 1000000000"),
    "an endless learning rate": (packed(b'{"settings": {"lr": 1e999}}'), "its setting lr is Infinity"),
    "a negative seed": (packed({"settings": {"seed": -1}}), "its setting seed is -1"),
    "a corpus with lines": (packed({"settings": {"corpus": "a\nb"}}), 'its setting corpus is "a?b"'),
    "a device": (packed({"settings": {"device": "webgpu"}}), 'its settings have "device"'),
    "threads": (packed({"settings": {"threads": 64}}), 'its settings have "threads"'),
}


@pytest.mark.parametrize("case", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_link_is_refused_with_a_sentence(tab, case):
    fragment, words = case
    at_ease(tab)
    said = follow(tab, fragment)
    assert any(part in said for part in words.split("|")), said
    assert said.startswith("The link could not be opened: ") and len(said) < 250
    assert said.endswith(". Nothing has run, and nothing has changed.")
    assert tab.page.evaluate("() => tinygpt.source()") == SHIPPED and tab.page.input_value("#setting-steps") == "1500"
    assert (
        tab.page.locator("#settings .changed").count() == 0
        and tab.page.locator("#link-bar p *, #status *").count() == 0
    )
    assert tab.page.evaluate("() => ({}).fits === undefined && ({}).files === undefined")


def test_the_page_works_after_hostile_links(tab):
    tab.page.click("#link-bar >> text=Close")
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "10")
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    assert tab.value("1 + 1") == 2


def test_markup_in_code_and_title_stays_text(browser, server):
    script = "<img src=x onerror='document.title=1'><script>document.title=1</script>"
    fragment = packed(
        {"title": script[:80], "files": {"train.py": script + "\n" + SHIPPED, "model.py": '"""' + script + '"""\n'}}
    )
    tab = open_link(browser, server, fragment)
    assert tab.text("#link-bar p").startswith("“<img src=x onerror=")
    assert tab.page.locator("#link-bar img, #editor img, script:not([src])").count() == 0
    tab.page.click("[data-file='model.py']")
    tab.page.click("#link-bar >> text=Show the difference")
    assert tab.page.evaluate("() => document.title") == "TinyGPT" and tab.complaints == []
    tab.close()
