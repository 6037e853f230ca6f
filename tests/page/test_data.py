"""What a run learns from: the site's texts, the user's own by file, paste and drop, and public
datasets through a server of the test's own that speaks the datasets server's interface and fails in
every way that the page names.
"""

import json
import pathlib
import re

import pytest
from playwright.sync_api import TimeoutError

from tests.page.conftest import Tab, default_text, is_tinyshakespeare
from tests.page.datasets_server import (
    DatasetsServer,
    answer_with,
    break_off,
    deep,
    flood,
    negative,
    refuse,
    text_features,
)
from tinygpt.config import PRESETS

pytestmark = [pytest.mark.browser, pytest.mark.alone]  # the waits of its server are told in seconds
ROOT = pathlib.Path(__file__).resolve().parents[2]
STORIES = ["Story %d. Once there was a fox who counted to %d, and then it slept." % (i, i) for i in range(250)]


@pytest.fixture(scope="module")
def one_hub():
    hub = DatasetsServer()
    yield hub
    hub.close()


@pytest.fixture
def hub(one_hub):
    one_hub.reset()
    one_hub.datasets["test/stories"] = {
        "default": {"train": (text_features("id", "text"), [{"id": "x", "text": s} for s in STORIES])}
    }
    return one_hub


@pytest.fixture(scope="module")
def one_tab(browser, server, one_hub):
    # The page's content security allows https alone, and this server on another port has none.
    tab = Tab(browser, server + "?datasets=" + one_hub.url, bypass_csp=True)
    tab.allow(15)
    tab.page.click("#tab-data")
    yield tab
    # A refused request is the browser's own line in the console, whatever the page does about it.
    assert [line for line in tab.complaints if "Failed to load resource" not in line] == []
    tab.close()


SHOWN = "[...document.querySelectorAll('#data button')].find(one => one.innerText === name && one.checkVisibility())"
CLICK_IF_SHOWN = "name => %s?.click()" % SHOWN
NOT_SHOWN = "name => !%s" % SHOWN


@pytest.fixture
def tab(one_tab, hub):
    """One person's page: each test leaves it with the settings and the texts that it found."""
    yield one_tab
    one_tab.context.set_offline(False)
    hub.held.set()
    page = one_tab.page
    page.click("#tab-data")
    page.evaluate(CLICK_IF_SHOWN, "Cancel")  # what was held may end of itself between a look and a click
    one_tab.wait(NOT_SHOWN, "Cancel")
    page.evaluate(CLICK_IF_SHOWN, "Discard")
    for name in page.eval_on_selector_all("#setting-corpus option", "all => all.map(one => one.value)"):
        if name not in ("shakespeare", "stdlib"):
            page.locator("#data .data-row[data-key='%s']" % name).click()
            page.locator("#data .data-head button").click()
            one_tab.wait(
                "name => ![...document.querySelectorAll('#setting-corpus option')].some(one => one.value === name)",
                name,
            )
    page.locator("#data .data-row[data-key=shakespeare]").click()
    page.select_option("#setting-preset", "small")
    page.fill("#setting-steps", "1500")


def shown(tab, text):
    """Until the panel's right side says this."""
    try:
        tab.wait("text => document.querySelector('#data .data-main').innerText.includes(text)", text)
    except TimeoutError:
        pytest.fail("%r is not in:\n%s" % (text, tab.text("#data .data-main")))


FACTS = """() => {
    const facts = [...document.querySelectorAll("#data .data-facts div")];
    const pairs = facts.map(({children: [name, value]}) => [name.textContent, value.textContent]);
    return document.querySelector("#data .data-excerpt")?.textContent && pairs[0][1] !== "–" && pairs;
}"""


def facts(tab):
    """{name: value} of the chosen text, once it is read."""
    return dict(tab.wait(FACTS).json_value())


def corpus(tab):
    return tab.page.input_value("#setting-corpus")


def in_python(tab, name):
    """The text that a run would get."""
    return tab.value("import tinygpt.data\ntinygpt.data.find_corpus(%r, say=lambda note: None).text" % name)


def choose_files(tab, *files):
    tab.page.set_input_files(
        "#data-file", [{"name": name, "mimeType": "text/plain", "buffer": data} for name, data in files]
    )


def run_tiny(tab, steps=3):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", str(steps))
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")


TOKENS = "from tinygpt import loop\nbytes(loop.current.kept['data'].tokens.tolist()).decode()"


# ---- what is always here -----------------------------------------------------------------------


def test_shakespeare_is_the_default_and_says_how_long_it_is(tab):
    assert corpus(tab) == "shakespeare"
    text = default_text().text
    size, train = len(text), len(text) * 9 // 10
    if is_tinyshakespeare():
        assert (size, train, size - train) == (1_115_394, 1_003_854, 111_540)
    told = facts(tab)
    assert [told[fact] for fact in ("Characters", "Tokens", "Train", "Validation")] == [
        format(number, ",") for number in (size, size, train, size - train)
    ]
    assert told["Epochs"] == "about 1.5"  # 1,500 steps of 16 pieces of 64
    excerpt = tab.text("#data .data-excerpt")
    assert text.startswith(excerpt[:1000]) and excerpt.lower().startswith("first citizen:\nbefore we proceed")
    assert tab.text("#data .data-head h3") == (
        "TinyShakespeare" if is_tinyshakespeare() else "Shakespeare's plays (Project Gutenberg's edition)"
    )
    assert tab.page.is_hidden("#data .data-warning")
    tab.page.fill("#setting-steps", "15000")
    assert facts(tab)["Epochs"] == "about 15"


def test_the_standard_library_needs_no_network(tab):
    tab.page.get_by_role("button", name="Python's standard library").click()
    assert corpus(tab) == "stdlib"
    told = facts(tab)
    assert int(told["Tokens"].replace(",", "")) > 1_000_000
    run_tiny(tab)
    assert tab.value("loop.current.kept['data'].corpus") == "stdlib"


def test_the_parameter_count_is_the_models(tab):
    """parameter_count.js counts as model.py does, for every option that changes the count."""
    from tinygpt.config import ModelConfig

    configs = [PRESETS[name].model for name in ("tiny", "small")]
    few = dict(layers=2, d_model=32, heads=4, context=16)
    configs += [
        ModelConfig(**few, kv_heads=2, positions="rotary", norm="rms", mlp="swiglu", bias=False),
        ModelConfig(**few, bias=False),
    ]
    configs += [ModelConfig(**few, tie_embeddings=False, mlp="swiglu", norm="rms", mlp_ratio=3, vocab_size=65)]
    for config in configs:
        counted = tab.page.evaluate(
            "async config => (await import('/app/run/parameter_count.js')).parameterCount(config)", config.to_dict()
        )
        source = "import json, tinygpt\nfrom tinygpt.config import ModelConfig\nconfig = ModelConfig.from_dict(json.loads(%r))\n"
        assert counted == tab.value(source % json.dumps(config.to_dict()) + "tinygpt.GPT(config).num_parameters()"), (
            config
        )


# ---- the user's own ----------------------------------------------------------------------------


def test_a_chosen_file_trains_and_nothing_else(tab):
    text = "In the beginning was the wörd.\n" * 60
    choose_files(tab, ("my story.txt", text.encode()))
    shown(tab, "my story")
    assert corpus(tab) == "my story"
    told = facts(tab)
    size, count = len(text.encode()), len(text)
    assert (told["Characters"], told["Tokens"]) == (format(count, ","), format(size, ","))
    assert (told["Train"], told["Validation"]) == (format(int(size * 0.9), ","), format(size - int(size * 0.9), ","))
    run_tiny(tab)
    assert tab.value(TOKENS) == text
    assert tab.value("loop.current.kept['data'].corpus") == "my story"
    assert "Corpus: my story, %s bytes, from a file." % format(size, ",") in tab.text("#console-output")


def test_a_pasted_text_trains(tab):
    text = "0123456789\n" * 100
    tab.page.get_by_role("button", name="Paste").click()
    tab.page.get_by_role("button", name="Use this text").click()
    shown(tab, "There is no text yet")
    tab.page.get_by_label("Text", exact=True).fill(text)
    tab.page.get_by_label("Name", exact=True).fill("Digits")
    tab.page.get_by_role("button", name="Use this text").click()
    shown(tab, "Validation")
    assert corpus(tab) == "Digits"
    run_tiny(tab)
    assert tab.value(TOKENS) == text


DROP = """([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, {type: "text/plain"}));
    const target = document.querySelector("#editor .cm-content");
    const options = {dataTransfer: data, bubbles: true, cancelable: true};
    for (const type of ["dragover", "drop"]) target.dispatchEvent(new DragEvent(type, options));
}"""


def test_a_file_dropped_on_the_page_is_learned_from_and_leaves_the_code_alone(tab):
    code = tab.page.evaluate("() => tinygpt.source()")
    tab.page.click("#tab-samples")
    text = "dropped words, many of them\n" * 50
    tab.page.evaluate(DROP, ["dropped.md", text])
    shown(tab, "dropped")
    assert tab.page.get_attribute("#tab-data", "aria-selected") == "true" and corpus(tab) == "dropped"
    assert tab.page.evaluate("() => tinygpt.source()") == code
    run_tiny(tab)
    assert tab.value(TOKENS) == text


ENCODED = [
    (b"\xef\xbb\xbfone\ntwo\n", "one\ntwo\n", "byte order mark"),
    (b"one\r\ntwo\r\n", "one\ntwo\n", "2 Windows line endings"),
    (b"one\rtwo\r", "one\ntwo\n", "Old Macintosh line endings"),
    ("schön\n".encode("utf-16"), "schön\n", "Converted from UTF-16 to UTF-8"),
    (b"caf\xe9 au lait\n", "café au lait\n", "Converted from Windows-1252"),
    (
        "naïve façade – déjà vu, où ça ".encode() + b"\xe9\n",
        "naïve façade – déjà vu, où ça \ufffd\n",
        "1 sequence that is not UTF-8",
    ),
]


def test_other_encodings_are_read_and_said(tab):
    for number, (data, text, note) in enumerate(ENCODED):
        choose_files(tab, ("words%d.txt" % number, data))
        shown(tab, note)
        assert in_python(tab, "words%d" % number) == text


NO_TEXT = [
    ("a.bin", b"abc\0def", "a.bin is not a text: byte 3 is zero"),
    ("a.pdf", b"%PDF-1.7 some", "a.pdf is a PDF, not a plain text"),
    ("a.docx", b"PK\x03\x04some", "a.docx is a zip archive, or a document such as .docx"),
    ("a.dat", b"\x01\x02\x03\x04ab" * 20, "a.dat is not a text: more than 2 % of its bytes are control characters"),
    ("a.txt", b"", "a.txt is empty"),
]


def test_what_is_no_text_is_refused_with_a_sentence(tab):
    for name, data, sentence in NO_TEXT:
        choose_files(tab, (name, data))
        shown(tab, sentence)
        assert corpus(tab) == "shakespeare"


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tab):
    tab.page.evaluate("""() => {
        const file = new File(["x"], "huge.txt");
        Object.defineProperty(file, "size", {value: 123456789});
        const data = new DataTransfer();
        const event = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
        Object.defineProperty(event, "dataTransfer", {value: {types: ["Files"], files: [file]}});
        document.body.dispatchEvent(event);
    }""")
    shown(tab, "huge.txt is 123.5 MB, and the maximum is 100 MB")


def test_names_are_made_safe_and_never_clash(tab):
    choose_files(tab, ("shakespeare.txt", b"not him " * 20), ("..my: fox?.txt", b"a fox " * 20))
    choose_files(tab, ("Ночь.txt", "ночь ".encode() * 20), ("ночь.txt", b"night " * 20))
    tab.wait("() => document.querySelectorAll('#setting-corpus option').length === 6")
    names = tab.page.eval_on_selector_all("#setting-corpus option", "all => all.map(one => one.value)")
    assert set(names) == {"shakespeare", "stdlib", "shakespeare 2", "my fox", "Ночь", "ночь 2"}
    assert in_python(tab, "shakespeare 2") == "not him " * 20 and in_python(tab, "Ночь") == "ночь " * 20
    assert in_python(tab, "shakespeare") == default_text().text


def test_own_texts_outlive_a_reload_and_a_restart_and_can_be_removed(tab):
    text = "kept over a reload\n" * 40
    choose_files(tab, ("kept.txt", text.encode()))
    shown(tab, "kept")
    tab.page.evaluate("() => document.getElementById('restart').click()")
    tab.wait("() => document.body.dataset.state === 'ready'")
    assert in_python(tab, "kept") == text
    tab.page.reload()
    tab.ready()
    tab.page.click("#tab-data")
    tab.page.get_by_role("button", name="kept").click()
    assert facts(tab)["Characters"] == format(len(text), ",") and corpus(tab) == "kept"
    run_tiny(tab)
    assert tab.value(TOKENS) == text
    tab.page.locator("#data .data-head button").click()
    tab.wait("() => document.getElementById('setting-corpus').value === 'shakespeare'")
    tab.page.reload()
    tab.ready()
    assert tab.page.locator("#setting-corpus option[value=kept]").count() == 0
    answer = tab.run("import tinygpt.data\ntinygpt.data.find_corpus('kept')")
    assert "there is no corpus 'kept'" in answer["error"]


def test_where_nothing_can_be_kept_the_text_works_and_the_page_says_so(browser, server):
    tab = Tab(browser, server, ready=False)
    tab.context.add_init_script(
        "navigator.storage.getDirectory = () => Promise.reject(new DOMException('no', 'SecurityError'))"
    )
    tab.page.reload()
    tab.ready()
    tab.page.click("#tab-data")
    choose_files(tab, ("short lived.txt", b"for now\n" * 100))
    shown(tab, "It is kept only until you close this page")
    run_tiny(tab)
    assert tab.value(TOKENS) == "for now\n" * 100
    tab.close()


# ---- enough text? ------------------------------------------------------------------------------


def test_a_text_that_is_too_short_for_the_context_is_told_before_the_run(tab):
    choose_files(tab, ("short.txt", b"x" * 500))
    sentence = "Too short: this preset needs at least 641 characters. Add text, or choose the preset tiny."
    shown(tab, sentence)
    assert tab.text("#status") == sentence
    before = tab.page.evaluate("() => tinygpt.state().run")
    for press in ("#run", "#train-own"):
        tab.page.click(press)
        assert tab.page.evaluate("() => document.activeElement.id") == "setting-corpus"
        assert tab.page.get_attribute("#setting-corpus", "aria-invalid") == "true"
        assert tab.text("#setting-corpus-note") == sentence == tab.text("#status")
    assert tab.page.evaluate("() => tinygpt.state().run") == before, "the run before is still there"
    tab.page.select_option("#setting-preset", "tiny")  # a context of 32
    tab.wait("() => !document.querySelector('#data .data-main').innerText.includes('Too short')")
    shown(tab, "This text is small for the model: 450 training tokens for ")
    tab.page.select_option("#setting-preset", "small")
    tab.wait("() => document.getElementById('status').textContent.startsWith('Too short: this preset needs')")
    tab.page.select_option("#setting-preset", "tiny")
    tab.wait("() => document.getElementById('status').textContent === 'Ready'")
    run_tiny(tab)


def test_a_text_that_is_read_very_often_is_told(tab):
    choose_files(tab, ("middling.txt", b"some words of no great length\n" * 4000))
    shown(tab, "middling")
    tab.page.select_option("#setting-preset", "tiny")
    assert tab.page.is_hidden("#data .data-warning")
    tab.page.fill("#setting-steps", "20000")
    shown(tab, "The run reads each token about 95 times")


def test_with_a_character_tokenizer_tokens_are_characters(tab):
    text = "ünïcödé wörds and plain ones\n" * 80
    choose_files(tab, ("signs.txt", text.encode()))
    shown(tab, "signs")
    original = tab.page.evaluate("() => tinygpt.source()")
    source = original.replace("tokenizer = ByteTokenizer()", "pass")
    sized = "shape = __import__('dataclasses').replace(shape, vocab_size=tokenizer.vocab_size)"
    found = "text = find_corpus(config.corpus)"
    source = source.replace(found, "\n    ".join((found, "tokenizer = CharTokenizer(text.text)", sized)))
    source = source.replace("import ByteTokenizer", "import CharTokenizer")
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "3")
    tab.run_editor(source)
    shows = "n => [...document.querySelectorAll('#data .data-facts div')].some(one => one.textContent === 'Tokens' + n)"
    tab.wait(shows, format(len(text), ","))
    tab.write(original)
    run_tiny(tab)
    tab.wait(shows, format(len(text.encode()), ","))


# ---- public datasets ---------------------------------------------------------------------------


def open_any(tab, dataset="test/stories", column="text"):
    """Finds the dataset by its name, as a person does."""
    tab.page.get_by_role("button", name="Any other dataset").click()
    tab.page.get_by_label("Dataset").fill(dataset)
    tab.page.get_by_role("button", name="Find").click()
    tab.wait(
        "column => [...document.querySelectorAll('#data .data-fetch select')].some(one => one.value === column)", column
    )


def load(tab):
    tab.page.get_by_role("button", name="Load", exact=True).click()


def test_the_catalogue_is_wide_and_complete(tab):
    entries = json.loads((ROOT / "public/datasets.json").read_text())
    assert len(entries) >= 17 and len({entry["genre"] for entry in entries}) >= 11
    assert len({(entry["dataset"], entry["config"], entry["column"]) for entry in entries}) == len(entries)
    for entry in entries:
        assert all(entry[key] for key in ("genre", "title", "about", "dataset", "config", "split", "column", "size")), (
            entry
        )
        assert tab.page.locator("#data .data-row", has_text=entry["title"]).count() >= 1


def test_a_dataset_of_the_catalogue_is_loaded_page_by_page_and_trains(tab, hub):
    hub.datasets["roneneldan/TinyStories"] = {
        "default": {"train": (text_features("text"), [{"text": s} for s in STORIES])}
    }
    tab.page.get_by_role("button", name="TinyStories").click()
    shown(tab, "roneneldan/TinyStories")
    assert hub.asked == [], "before Load"
    load(tab)
    shown(tab, "250 of 250 rows, with a blank line between them")
    assert hub.offsets() == [0, 100, 200]
    assert hub.asked[0][1] == {
        "dataset": "roneneldan/TinyStories",
        "config": "default",
        "split": "train",
        "offset": "0",
        "length": "100",
    }
    assert corpus(tab) == "TinyStories" and in_python(tab, "TinyStories") == "\n\n".join(STORIES)
    run_tiny(tab)
    assert tab.value("loop.current.kept['data'].corpus") == "TinyStories"


def test_any_other_dataset_shows_its_parts_and_columns(tab, hub):
    many = [{"n": 1, "title": "a", "body": "long text"}] * 3
    features = [{"name": "n", "type": {"dtype": "int64", "_type": "Value"}}, *text_features("title", "body")]
    other = (text_features("other"), [{"other": "x"}])
    hub.datasets["some/thing"] = {"one": {"test": (features, many)}, "two": {"train": (features, many), "test": other}}
    open_any(tab, "some/thing", "body")  # of two columns, the one that is usually meant
    assert tab.page.get_by_label("Config").evaluate("one => [...one.options].map(o => o.value)") == ["one", "two"]
    assert tab.page.get_by_label("Column").evaluate("one => [...one.options].map(o => o.value)") == ["title", "body"]
    tab.page.get_by_label("Config").select_option("two")
    tab.wait(
        "() => [...document.querySelectorAll('#data .data-fetch select')].some(one => one.value === 'other')"
    )  # its split test
    tab.page.get_by_label("Split").select_option("train")
    tab.wait("() => [...document.querySelectorAll('#data .data-fetch select')].some(one => one.value === 'body')")
    tab.page.get_by_label("Dataset").fill("not a name!")
    tab.page.get_by_role("button", name="Find").click()
    shown(tab, "“not a name!” is not the name of a dataset")


def test_the_size_limit_cuts_at_a_character(tab, hub):
    hub.datasets["test/stories"]["default"]["train"] = (text_features("text"), [{"text": "ä" * 3000}] * 1000)
    open_any(tab)
    tab.page.get_by_label("Download limit").select_option("1 MB")
    load(tab)
    shown(tab, "rows, with a blank line between them")
    size = tab.value("import tinygpt.data\nlen(tinygpt.data.find_corpus('stories', say=lambda n: None).text.encode())")
    assert 999_990 <= size <= 1_000_000 and hub.offsets()[1:] == [
        0,
        100,
    ]  # the first asked for the columns; 167 rows of 6,000 bytes


def test_nested_text_and_what_the_server_left_out(tab, hub):
    string = {"dtype": "string", "_type": "Value"}
    features = [{"name": "turns", "type": {"feature": {"role": string, "content": string}, "_type": "List"}}]
    first = [{"role": "fox", "content": "Who is there?\r\n"}, {"role": "owl", "content": "I am."}]
    rows = [{"turns": first}, {"turns": []}, {"turns": [{"role": "fox", "content": "Oh."}]}]
    hub.datasets["test/talk"] = {"default": {"train": (features, rows)}}

    def shortened(answer):
        answer["rows"][2]["truncated_cells"], answer["partial"] = ["turns"], True
        return answer

    hub.faults[0] = [answer_with(shortened)]
    open_any(tab, "test/talk", "turns")
    load(tab)
    shown(tab, "1 rows had no text. 1 long cells were shortened by the server. The server has only the first part")
    assert in_python(tab, "talk") == "fox: Who is there?\nowl: I am.\n\nfox: Oh."


def test_cancel_keeps_what_came_if_the_user_wants(tab, hub):
    hub.faults[200] = [hub.hold]
    open_any(tab)
    load(tab)
    tab.wait("() => document.querySelector('#data .data-count').textContent.startsWith('200 of 250 rows')")
    tab.page.get_by_role("button", name="Cancel").click()
    shown(tab, "Cancelled after 200 rows: keep them, continue, or discard them.")
    assert corpus(tab) == "shakespeare"
    tab.page.get_by_role("button", name=re.compile(r"^Keep \d")).click()
    shown(tab, "200 of 250 rows, with a blank line between them")
    assert in_python(tab, "stories") == "\n\n".join(STORIES[:200])


def test_cancel_before_anything_came_leaves_nothing(tab, hub):
    hub.faults[0] = [hub.hold]
    open_any(tab)
    load(tab)
    tab.page.get_by_role("button", name="Cancel").click()
    shown(tab, "Cancelled before any text arrived")
    assert (
        tab.page.get_by_role("button", name="Load", exact=True).is_visible()
        and tab.page.get_by_role("button", name="Continue").is_hidden()
    )


@pytest.mark.parametrize(
    "fault, sentence",
    [
        (negative, "did not answer with the number of rows (it says -1)"),
        (deep, "answered with JSON that is nested too deeply (more than 100 levels)"),
        (flood, "sent an answer of more than 32 MB, the most that this page reads"),
    ],
    ids=["negative", "deep", "flood"],
)
def test_an_answer_beyond_the_limits_is_a_sentence(tab, hub, fault, sentence):
    open_any(tab)
    hub.faults[0], hub.faults["/rows"] = [fault] * 6, [fault]  # too large: fewer rows are tried, at last one
    load(tab)
    shown(tab, sentence)
    assert corpus(tab) == "shakespeare" and tab.value("1 + 1") == 2


def test_a_search_for_subsets_can_be_cancelled(tab, hub):
    hub.faults["/splits"] = [hub.hold_and_cut]
    tab.page.get_by_role("button", name="Any other dataset").click()
    tab.page.get_by_label("Dataset").fill("test/stories")
    tab.page.get_by_role("button", name="Find").click()
    tab.page.get_by_role("button", name="Cancel").click()
    tab.wait("() => !document.querySelector('#data .data-status').textContent.includes('Contacting')")
    assert tab.page.get_by_role("button", name="Cancel").is_hidden()


def test_a_connection_that_breaks_off_in_the_middle_can_go_on(tab, hub):
    hub.faults[100] = [break_off]
    open_any(tab)
    load(tab)
    shown(
        tab,
        "After 100 rows: the connection to %s was lost during an answer. You can keep these rows." % hub.url,
    )
    tab.page.get_by_role("button", name="Continue").click()
    shown(tab, "250 of 250 rows, with")
    assert hub.offsets()[1:] == [0, 100, 100, 200], "nothing is asked twice but what did not come"
    assert in_python(tab, "stories") == "\n\n".join(STORIES)


def test_what_came_before_a_break_can_be_kept_or_discarded(tab, hub):
    hub.faults[100] = [break_off, break_off]
    open_any(tab)
    load(tab)
    shown(tab, "was lost during an answer")
    tab.page.get_by_role("button", name="Discard").click()
    assert tab.page.is_hidden("#data .data-fetch .data-error")
    load(tab)
    shown(tab, "was lost during an answer")
    tab.page.get_by_role("button", name=re.compile(r"^Keep \d")).click()
    shown(tab, "100 of 250 rows, with")
    assert in_python(tab, "stories") == "\n\n".join(STORIES[:100])


def test_a_server_that_asks_for_a_pause_gets_it_and_the_page_says_so(tab, hub):
    hub.faults[100] = [refuse(429, "Too many requests", Retry_After="2"), refuse(503, "busy")]
    open_any(tab)
    load(tab)
    shown(tab, "is limiting requests (429): retrying in 2 s, try 2 of 5")
    shown(tab, "is busy (503): retrying in 2 s, try 3 of 5")
    shown(tab, "250 of 250 rows, with")
    assert hub.offsets()[1:] == [0, 100, 100, 100, 200] and in_python(tab, "stories") == "\n\n".join(STORIES)


def test_a_rate_limit_that_lasts_is_named_and_one_can_go_on_later(tab, hub):
    hub.faults[100] = [refuse(429, "Slow down", Retry_After="600")]
    open_any(tab)
    load(tab)
    shown(
        tab,
        "limits the number of requests, and the limit is reached (429): continue in 10 min. Its message: “Slow down”",
    )
    tab.page.get_by_role("button", name="Continue").click()
    shown(tab, "250 of 250 rows, with")


def test_five_refusals_in_a_row_are_enough(tab, hub):
    hub.faults[0] = [refuse(429, "Too many requests", Retry_After="0")] * 9
    open_any(tab)
    load(tab)
    shown(tab, "limit is reached (429)")
    assert hub.offsets()[1:] == [0] * 5


GATED = "does not share test/stories (401): it is gated, private, or does not exist."
SCRIPTED = "(501, DatasetWithScriptNotSupportedError): try again later, or choose another one. Its message: “Scripts are not supported.”"
REFUSALS = [
    (refuse(401, "Please log in.", "ExternalUnauthenticatedError"), GATED),
    (refuse(403, "Ask for access."), "does not share test/stories (403)"),
    (refuse(501, "Scripts are not supported.", "DatasetWithScriptNotSupportedError"), SCRIPTED),
    (answer_with(b"<html>hello</html>"), "did not answer with JSON"),
    (answer_with(b'{"rows": 7}'), "did not answer with rows"),
    (
        answer_with(lambda answer: {**answer, "rows": answer["rows"][5:]}),
        "did not answer with rows 0 to 99",
    ),
    (answer_with(lambda answer: {**answer, "rows": []}), "did not answer with row 0 of 250"),
]


def test_each_refusal_has_its_sentence(tab, hub):
    for fault, sentence in REFUSALS:
        hub.faults[0] = [fault]
        open_any(tab)
        load(tab)
        shown(tab, sentence)
        load(tab)  # and nothing is lost: the next try works
        shown(tab, "250 of 250 rows, with")


def test_a_dataset_that_is_not_there_is_named(tab, hub):
    tab.page.get_by_role("button", name="AG News").click()
    load(tab)
    shown(tab, "has no dataset fancyzhx/ag_news that it can show (404): check the spelling")


def test_a_split_and_a_config_that_are_not_there_are_named_with_those_that_are(tab, hub):
    rows = (text_features("text"), [{"text": "x" * 50}] * 30)
    hub.datasets["knkarthick/dialogsum"] = {"default": {"test": rows, "extra": rows}}
    tab.page.get_by_role("button", name="DialogSum").click()
    load(tab)
    shown(tab, "knkarthick/dialogsum (default) has no split train: it has test, extra.")
    tab.page.get_by_label("Split").select_option("extra")
    load(tab)
    shown(tab, "30 of 30 rows, with")
    hub.datasets["merve/poetry"] = {"verse": {"train": rows}}
    tab.page.get_by_role("button", name="Poems").click()
    load(tab)
    shown(tab, "merve/poetry has no config default: it has verse.")


def test_a_column_that_is_not_there_is_named_with_those_that_have_text(tab, hub):
    features = [{"name": "label", "type": {"names": ["a"], "_type": "ClassLabel"}}, *text_features("story", "title")]
    hub.datasets["knkarthick/samsum"] = {
        "default": {"train": (features, [{"label": 0, "story": s, "title": "t"} for s in STORIES])}
    }
    tab.page.get_by_role("button", name="SAMSum").click()
    load(tab)
    shown(tab, "In knkarthick/samsum there is no column dialogue: the columns with text are story, title.")
    assert tab.page.get_by_label("Column").input_value() == "story"
    load(tab)
    shown(tab, "250 of 250 rows, with")


@pytest.mark.parametrize(
    "rows, sentence",
    [
        ([], "The split train of test/stories is empty: it has no rows"),
        ([{"text": None}] * 7, "The column text of test/stories holds no text in its 7 rows"),
    ],
)
def test_a_dataset_without_text_is_named(tab, hub, rows, sentence):
    hub.datasets["test/stories"]["default"]["train"] = (text_features("text"), rows)
    open_any(tab)
    load(tab)
    shown(tab, sentence)
    assert corpus(tab) == "shakespeare"


def test_offline_is_named_and_the_texts_that_are_here_still_train(tab, hub):
    open_any(tab)
    hub.faults[100] = [hub.hold_and_cut] * 20
    load(tab)
    tab.wait("() => document.querySelector('#data .data-count').textContent.startsWith('100 of 250 rows')")
    facts_before = tab.page.evaluate(
        "() => fetch('public/corpora/shakespeare.txt').then(answer => answer.blob()).then(blob => blob.size)"
    )
    tab.context.set_offline(True)
    hub.held.set()
    shown(tab, "After 100 rows: this computer is offline")
    tab.page.get_by_role("button", name=re.compile(r"^Keep \d")).click()
    shown(tab, "100 of 250 rows, with")
    run_tiny(tab)
    assert tab.value(TOKENS) == "\n\n".join(STORIES[:100]) and facts_before == len(default_text().text)
    tab.page.get_by_role("button", name="Any other dataset").click()
    load(tab)
    shown(tab, "This computer is offline: connect it to the network and try again.")
    tab.context.set_offline(False)


def test_a_server_that_cannot_be_reached_is_named(tab, hub):
    hub.faults[0] = [
        lambda handler, parameters: handler.cut()
    ] * 20  # a browser asks again by itself where a connection was reused
    open_any(tab)
    load(tab)
    shown(tab, "could not be reached: there is no network, something blocks")


def test_rows_of_book_length_are_asked_for_in_smaller_pieces(tab, hub):
    too_big = refuse(501, "Rows range is too big", "TooBigContentError")
    hub.faults[0] = [too_big, too_big]
    open_any(tab)
    load(tab)
    shown(tab, "250 of 250 rows, with")
    lengths = [int(parameters["length"]) for path, parameters in hub.asked if path == "/rows"][1:]
    assert (
        lengths[:3] == [100, 50, 25] and set(lengths[2:]) == {25} and in_python(tab, "stories") == "\n\n".join(STORIES)
    )


def test_only_this_machine_can_stand_in_for_the_datasets_server(browser, server):
    tab = Tab(browser, server + "?datasets=https://elsewhere.example", ready=False)
    tab.context.route("https://**", lambda route: route.abort())
    tab.page.click("#tab-data")
    tab.page.get_by_role("button", name="TinyStories").click()
    load(tab)
    shown(tab, "Hugging Face could not be reached")
    asked = [url for url in tab.requests if not url.startswith(server) and not url.startswith("blob:")]
    assert asked and all(
        url.startswith("https://datasets-server.huggingface.co/rows?dataset=roneneldan%2FTinyStories&") for url in asked
    )
    tab.close()


# ---- the panel ---------------------------------------------------------------------------------


def test_nothing_but_the_texts_of_the_site_is_fetched_before_somebody_looks(browser, server):
    tab = Tab(browser, server)
    assert not [url for url in tab.requests if not url.startswith(server)]
    texts = [url for url in tab.requests if url.endswith(".txt")]  # they come so that it trains offline
    assert all("/public/corpora/" in url for url in texts)
    tab.close()


def test_the_list_goes_by_arrow_keys(tab):
    first = tab.page.locator("#data .data-row").first
    first.focus()
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Enter")
    assert corpus(tab) == "stdlib"
    tab.page.keyboard.press("End")
    assert tab.page.evaluate("() => document.activeElement.textContent") == "Any other dataset"


AXE = """() => axe.run("#lower", {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).then(({violations}) =>
    violations.map(v => v.id + ": " + v.nodes.map(node => node.target.join(" ")).join(" | ")))"""


@pytest.mark.parametrize("width, height, theme", [(1440, 900, "light"), (1024, 768, "dark"), (390, 844, "light")])
def test_it_fits_and_keeps_nobody_out(browser, server, width, height, theme):
    tab = Tab(browser, server, viewport={"width": width, "height": height}, color_scheme=theme)
    tab.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text() + "\n;0")
    tab.page.click("#tab-data")
    choose_files(tab, ("a name without any space in it so long that it must be cut somewhere.txt", b"too short"))
    shown(tab, "Too short: this preset needs at least ")
    for press in ("TinyStories", "Any other dataset", "Paste", "Python's standard library"):
        assert tab.page.evaluate(AXE) == [], press
        wide = tab.page.evaluate("""() => [document.documentElement.scrollWidth,
            ...[...document.querySelectorAll('#data, .data-main')].map(e => e.scrollWidth - e.clientWidth)]""")
        assert wide == [width, 0, 0], press
        tab.page.get_by_role("button", name=press, exact=True).click()
    tab.close()
