"""Corpora and batches: the right text or a sentence that names the one used instead, and windows
that follow from the seed alone.
"""

import hashlib
import http.server
import json
import os
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import tinygpt
from reference.batches import windows
from tinygpt import corpora
from tinygpt.corpora import CHECKOUT, CORPORA, CorpusError, fetch_corpora, find_corpus, stdlib_text
from tinygpt.data import VALIDATION_STREAM, Dataset
from tinygpt.tokenizer import ByteTokenizer, CharTokenizer

pytestmark = pytest.mark.fast


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with no corpus on it and no network; returns the directory that TINYGPT_CORPORA
    names.
    """
    monkeypatch.setattr(corpora, "CHECKOUT", tmp_path / "checkout" / "main")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TINYGPT_CORPORA", str(tmp_path / "named"))
    monkeypatch.setattr(corpora, "_refused", {CORPORA["shakespeare"].source: "no network"})
    (tmp_path / "named").mkdir()
    return tmp_path / "named"


def serve_text(monkeypatch, data):
    """A small web server as Shakespeare's public source, with `data` as the registered text."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    source = "http://127.0.0.1:%d/input.txt" % server.server_port
    return server, source


# ---- finding and placing the text --------------------------------------------------------------


def test_the_committed_manifest_is_the_registry():
    assert (CHECKOUT / "public" / "corpora" / "manifest.json").read_text() == corpora.manifest()
    assert {entry["name"] for entry in json.loads(corpora.manifest())} == {"shakespeare", "stdlib"}


def test_without_shakespeare_the_standard_library_is_used_and_said(bare):
    said = []
    corpus = find_corpus("shakespeare", say=said.append)
    assert corpus.name == "stdlib" and corpus.text == stdlib_text()
    assert (
        len(said) == 1
        and "TinyShakespeare could not be found" in said[0]
        and "standard library's source instead" in said[0]
    )


def test_the_standard_library_corpus_is_the_same_every_time():
    text = stdlib_text()
    assert text == stdlib_text() and 1_000_000 < len(text.encode()) <= corpora.STDLIB_BYTES
    assert "def namedtuple" not in text and "class ABCMeta" in text  # public top-level modules, abc first


def test_the_library_is_read_from_a_zip_and_needs_its_source(monkeypatch, tmp_path):
    """Pyodide's standard library is a zip, with source or compiled only."""
    home = Path(os.__file__).parent
    for suffix in (".py", ".pyc"):
        with zipfile.ZipFile(tmp_path / ("lib%s.zip" % suffix), "w") as archive:
            for path in home.glob("*.py"):
                archive.writestr(path.stem + suffix, path.read_bytes())
    text = stdlib_text()
    monkeypatch.setattr(os, "__file__", str(tmp_path / "lib.py.zip" / "os.py"))
    assert stdlib_text() == text
    for place in (tmp_path / "lib.pyc.zip", tmp_path / "nowhere" / "lib"):
        monkeypatch.setattr(os, "__file__", str(place / "os.pyc"))
        with pytest.raises(CorpusError, match="without source; `python3 serve.py` places"):
            stdlib_text()


def test_a_text_with_the_wrong_checksum_is_refused(bare):
    (bare / "shakespeare.txt").write_text("To be, or to be not")
    with pytest.raises(
        CorpusError, match="has 19 bytes and sha256 .* 1115394 bytes and sha256 86c4e6aa.*delete the file"
    ):
        find_corpus("shakespeare", say=lambda note: None)


def test_own_texts_by_name_and_path(bare, tmp_path):
    (bare / "poem.txt").write_text("Tyger tyger")
    assert find_corpus("poem", say=lambda note: None).text == "Tyger tyger"
    assert find_corpus(str(bare / "poem.txt"), say=lambda note: None).name == "poem"
    (bare / "empty.txt").touch()
    (bare / "latin.txt").write_bytes(b"caf\xe9")
    for name, sentence in (
        ("nothing", "there is no corpus 'nothing'"),
        ("empty", "is empty"),
        ("latin", "not UTF-8 text .byte 0xe9 at position 3"),
    ):
        with pytest.raises(CorpusError, match=sentence):
            find_corpus(name, say=lambda note: None)


@pytest.fixture
def provided(monkeypatch):
    monkeypatch.setattr(corpora, "_provided", {})


def test_a_provided_text_is_found_by_its_name(provided):
    said = []
    corpora.provide("my notes", "Tyger tyger, bürning bright", "pasted")
    assert find_corpus("my notes", say=said.append).text == "Tyger tyger, bürning bright"
    assert said == ["Corpus: my notes, 28 bytes, pasted."] and corpora.provided() == ["my notes"]
    corpora.provide("my notes", b"another")
    assert find_corpus("my notes", say=said.append) == corpora.Corpus(
        "my notes", "another", "Corpus: my notes, 7 bytes."
    )
    with pytest.raises(CorpusError, match="no corpus 'mine'; choose one of shakespeare, stdlib, my notes,"):
        find_corpus("mine")
    corpora.withdraw("my notes")
    with pytest.raises(CorpusError, match="no corpus 'my notes'"):
        find_corpus("my notes")


def test_a_provided_text_is_read_when_a_run_asks_for_it(provided):
    reads = []
    corpora.provide("late", lambda: reads.append(1) or b"some text")
    assert reads == []
    assert find_corpus("late", say=reads.append).text == "some text" and reads == [1, "Corpus: late, 9 bytes."]


def test_the_size_of_a_corpus_is_known_without_reading_it(bare, provided, tmp_path):
    corpora.provide("late", lambda: 1 / 0, size=12_000_000)
    corpora.provide("unknown", lambda: 1 / 0)
    corpora.provide("tiger", "bürning")
    (tmp_path / "own.txt").write_bytes(b"abc")
    names = "late", "unknown", "tiger", str(tmp_path / "own.txt"), corpora.SHAKESPEARE, corpora.STDLIB, "nothing"
    assert [corpora.size_of(name) for name in names] == [12_000_000, 0, 8, 3, 1_115_394, corpora.STDLIB_BYTES, 0]
    (bare / "shakespeare.txt").write_bytes(b"of another edition")
    assert corpora.size_of(corpora.SHAKESPEARE) == 18


def test_a_provided_text_trains_on_exactly_that_text(provided):
    corpora.provide("digits", "0123456789" * 50)
    dataset = Dataset(find_corpus("digits", say=lambda note: None), None, 8, seed=1)
    assert dataset.tokens.tolist() == list(b"0123456789" * 50) and dataset.corpus == "digits"
    x, y = drawn(dataset, 3)
    assert all((b - a) % 10 == 1 for row, next_row in zip(x, y) for a, b in zip(row, next_row))


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("", "cannot name a text; give one line"),
        (" x", "cannot name a text"),
        ("two\nlines", "cannot name a text"),
        ("x" * 81, "at most 80 characters"),
        (7, "cannot name a text"),
        ("../secret", "reads like a path"),
        (".hidden", "reads like a path"),
        ("a\\b", "reads like a path"),
        ("shakespeare", "is the name of a built-in corpus"),
        ("Stdlib", "is the name of a built-in corpus"),
    ],
)
def test_names_that_no_text_may_have(provided, name, sentence):
    with pytest.raises(ValueError, match=sentence):
        corpora.provide(name, "text")
    assert corpora.provided() == []


def test_a_provided_text_that_is_none_says_so(provided):
    corpora.provide("empty", "")
    corpora.provide("latin", b"caf\xe9")
    for name, sentence in (
        ("empty", "the text 'empty' is empty"),
        ("latin", "not UTF-8 text .byte 0xe9 at position 3"),
    ):
        with pytest.raises(CorpusError, match=sentence):
            find_corpus(name, say=lambda note: None)


def test_set_up_places_both_texts_once(bare, monkeypatch, tmp_path):
    data = b"Thou art more lovely and more temperate.\n" * 3
    server, source = serve_text(monkeypatch, data)
    known = corpora.Known(
        "shakespeare", "shakespeare.txt", hashlib.sha256(data).hexdigest(), len(data), "", source, "Sonnets"
    )
    monkeypatch.setitem(CORPORA, "shakespeare", known)
    said = []
    placed = fetch_corpora(tmp_path / "public", progress=said.append)
    assert placed["shakespeare"].read_bytes() == data and placed["stdlib"].read_text() == stdlib_text()
    server.shutdown()
    server.server_close()
    said.clear()
    fetch_corpora(tmp_path / "public", progress=said.append)
    assert said == ["shakespeare.txt: already there", "stdlib.txt: already there"]
    placed["shakespeare"].write_bytes(b"damaged")
    assert fetch_corpora(tmp_path / "public", progress=said.append)["shakespeare"] is None
    assert any("sha256" in line for line in said) and not (tmp_path / "public" / "shakespeare.txt").exists()


def test_a_download_with_the_wrong_checksum_is_not_used(bare, monkeypatch):
    server, source = serve_text(monkeypatch, b"not Shakespeare")
    old = CORPORA["shakespeare"]
    monkeypatch.setitem(
        CORPORA, "shakespeare", corpora.Known(old.name, old.file, old.sha256, old.bytes, old.licence, source, old.title)
    )
    assert find_corpus("shakespeare", say=lambda note: None).name == "stdlib"
    assert "sha256" in corpora._refused[source]
    server.shutdown()
    server.server_close()


EDITION = b"SECOND CITIZEN:\nOne word, good citizens.\n"


@pytest.fixture
def other_edition(monkeypatch):
    """Shakespeare's plays have this edition besides, and their source cannot be reached."""
    edition = corpora.Known(
        "shakespeare", "shakespeare.txt", hashlib.sha256(EDITION).hexdigest(), len(EDITION), "", "a package", "Folio"
    )
    monkeypatch.setitem(CORPORA, "shakespeare", replace(CORPORA["shakespeare"], editions=(edition,)))


def test_set_up_takes_another_edition_where_the_source_cannot_be_reached(bare, other_edition, tmp_path):
    said, calls = [], []
    public = tmp_path / "checkout" / "main" / "public" / "corpora"

    def make():
        calls.append(1)
        return EDITION

    placed = fetch_corpora(public, said.append, {"shakespeare": make})
    assert placed["shakespeare"].read_bytes() == EDITION and placed["stdlib"].is_file()
    assert "shakespeare.txt: %d bytes from a package" % len(EDITION) in said
    corpus = find_corpus("shakespeare", say=said.append)
    assert corpus.name == "shakespeare" and corpus.text == EDITION.decode()
    assert said[-1] == "Corpus: Folio, %d bytes, from shakespeare.txt." % len(EDITION)
    said.clear()
    fetch_corpora(public, said.append, {"shakespeare": make})
    assert said == ["shakespeare.txt: already there", "stdlib.txt: already there"] and calls == [1]


def test_an_edition_with_another_checksum_is_refused_and_the_standard_library_stays(bare, other_edition, tmp_path):
    def unreachable():
        raise ValueError("pip said: no index")

    for make, reason in ((lambda: b"Exit, pursued by a bear", "sha256"), (unreachable, "pip said: no index")):
        said = []
        placed = fetch_corpora(tmp_path / "public", said.append, {"shakespeare": make})
        assert placed["shakespeare"] is None and placed["stdlib"].is_file()
        (line,) = [line for line in said if "not available" in line]
        assert (
            "no network" in line
            and reason in line
            and line.endswith("the page will offer %s" % CORPORA["stdlib"].title)
        )
        assert not (tmp_path / "public" / "shakespeare.txt").exists()


# ---- batches -----------------------------------------------------------------------------------

TEXT = bytes(range(256)) * 4


def drawn(dataset, batch_size, split="train"):
    return tuple(t.tolist() for t in dataset.batch(batch_size, split))


def test_batches_are_the_windows_of_the_seed():
    dataset = Dataset(TEXT, ByteTokenizer(), 5, seed=7)
    low, high = dataset.splits["validation"]
    assert dataset.splits == {"train": (0, 921), "validation": (921, 1024)}
    for split, bounds, seed in (("train", (0, 921), 7), ("validation", (low, high), 7 + VALIDATION_STREAM)):
        for step in range(3):
            x, y = drawn(dataset, 6, split)
            starts = windows(seed, 2 * step, 6, 5, *bounds)  # six windows take two blocks of four numbers
            assert x == [list(TEXT[s : s + 5]) for s in starts]
            assert y == [list(TEXT[s + 1 : s + 6]) for s in starts]


def test_evaluating_never_changes_training():
    quiet, busy = Dataset(TEXT, None, 8, seed=1), Dataset(TEXT, None, 8, seed=1)
    for step in range(4):
        for _ in range(step):
            drawn(busy, 3, "validation")
        tinygpt.rand(5)  # nor does anything that draws from the default generator
        assert drawn(quiet, 4) == drawn(busy, 4)
    assert drawn(quiet, 4) != drawn(Dataset(TEXT, None, 8, seed=2), 4)


def test_the_place_in_the_data_comes_back():
    dataset = Dataset(TEXT, None, 8, seed=1)
    drawn(dataset, 4), drawn(dataset, 5, "val")
    state = json.loads(json.dumps(dataset.get_state()))
    expected = drawn(dataset, 4), drawn(dataset, 4, "validation")
    other = Dataset(TEXT, None, 8, seed=9)
    other.set_state(state)
    assert (drawn(other, 4), drawn(other, 4, "validation")) == expected
    with pytest.raises(ValueError, match="needs"):
        other.set_state({"train": state["train"]})


def test_windows_reach_both_ends_of_a_split_and_never_leave_it():
    dataset = Dataset(TEXT[:40], None, 3)  # validation: 4 tokens, exactly one window
    assert drawn(dataset, 4, "validation") == ([list(TEXT[36:39])] * 4, [list(TEXT[37:40])] * 4)
    starts = {row[0] for _ in range(60) for row in drawn(dataset, 8)[0]}
    assert starts == set(range(36 - 3))


def test_tokens_are_as_good_as_text():
    tokenizer = CharTokenizer("abcd")
    text = "abcd" * 30
    assert drawn(Dataset(text, tokenizer, 4, seed=3), 4) == drawn(
        Dataset(tokenizer.encode(text), tokenizer, 4, seed=3), 4
    )
    with pytest.raises(ValueError, match="token 4 at position 1 is outside"):
        Dataset([0, 4], tokenizer, 1)


@pytest.mark.parametrize(
    "text, context, sentence",
    [
        ("", 8, "the corpus is empty; give a text of at least 90 tokens for a context of 8"),
        ("x", 8, "one token, and nothing follows it"),
        (
            "x" * 500,
            64,
            "split has 50 tokens, but a context of 64 needs at least 65; "
            "give about 650 tokens of text or a context of at most 49",
        ),
        ("x" * 10, 64, "the train split has 9 tokens, but a context of 64 needs at least 65"),
    ],
)
def test_too_little_text_is_one_sentence(text, context, sentence):
    with pytest.raises(CorpusError) as caught:
        Dataset(text, None, context)
    assert sentence in str(caught.value)


def test_an_unknown_split_is_one_sentence():
    with pytest.raises(ValueError, match="no split 'test'"):
        Dataset(TEXT, None, 4).batch(1, "test")
