"""Text from outside: in linear time, in its own encoding or refused, and out of every type of
column that the datasets server has. In Node, with the page's own modules.
"""

import base64
import json
import random
import re
import subprocess

import pytest

from tests.hosts import NODE, ROOT

pytestmark = pytest.mark.fast
LONG = 1_000_000


def node(body, argument=None):
    """What `body`, statements that return a value of `given`, gives in Node."""
    source = """
        const { readFileSync } = await import("node:fs");
        const given = JSON.parse(readFileSync(0, "utf8"));
        const page = (path) => import(`${process.cwd()}/app/${path}`);
        const value = await (async () => { %s })();
        console.log(JSON.stringify(value ?? null));
    """
    command = [str(NODE), "--input-type=module", "-e", source % body]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(argument), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- encodings ---------------------------------------------------------------------------------

WORDS = {
    "ru": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n",
    "ja": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n",
    "zh": "敏捷的棕色狐狸跳过了懒狗。这是一个测试文件，用来训练模型。\n",
    "tw": "敏捷的棕色狐狸跳過了懶狗。這是一個測試檔案，用來訓練模型。\n",
    "ko": "모든 국민은 법 앞에 평등하다. 누구든지 성별에 의하여 차별을 받지 아니한다.\n",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.\n",
    "fr": "Voilà l'été où Noël fut fêté, ça c'est sûr; déjà vu, garçon.\n",
    "de": "Falsches Üben von Xylophonmusik quält jeden größeren Zwerg.\n",
    "cs": "Příliš žluťoučký kůň úpěl ďábelské ódy.\n",
    "tr": "Pijamalı hasta yağız şoföre çabucak güvendi.\n",
    "en": "It was the best of times, it was the worst of times.\n",
}
READ = [("ru", e) for e in ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic")]
READ += [("ja", "shift_jis"), ("ja", "euc-jp"), ("zh", "gbk"), ("zh", "gb18030"), ("tw", "big5"), ("ko", "euc-kr")]
READ += [("el", "cp1253"), ("fr", "cp1252"), ("de", "cp1252"), ("cs", "cp1250"), ("tr", "cp1254")]
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
READ += [(words, "mark " + encoding) for words in ("en", "ru", "zh", "ja") for encoding in WIDE]
READ += [("en", encoding) for encoding in (*WIDE, "utf-8", "utf-8-sig")]
MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff", "utf-32-le": b"\xff\xfe\0\0", "utf-32-be": b"\0\0\xfe\xff"}
AS_TEXT = """
    const { asText } = await page("data/text_file.js");
    return Promise.all(given.map(async (data) => {
        try {
            const { blob, notes } = asText(new Uint8Array(Buffer.from(data, "base64")), "words.txt");
            return [await blob.text(), notes.join(" ")];
        } catch (error) { return [null, error.message]; }
    }));
"""


def as_text(*files):
    """[text or None, notes or the sentence] of each file."""
    return node(AS_TEXT, [base64.b64encode(data).decode() for data in files])


def encoded(words, encoding):
    if encoding.startswith("mark "):
        return MARKS[encoding[5:]] + words.encode(encoding[5:])
    return words.encode(encoding)


def test_a_text_is_read_in_its_encoding():
    for count in (1, 40):
        texts = [WORDS[words] * count for words, _ in READ]
        got = as_text(*(encoded(text, encoding) for text, (_, encoding) in zip(texts, READ, strict=True)))
        for text, (words, encoding), (read, notes) in zip(texts, READ, got, strict=True):
            assert read == text, (words, encoding, notes)
            assert bool(notes) == (encoding != "utf-8"), (words, encoding)


def test_what_is_no_text_is_refused_whatever_it_begins_with():
    rng = random.Random(3)
    marks = [b"", b"\xef\xbb\xbf", *MARKS.values()]
    files = [mark + bytes(rng.randrange(low, 256) for _ in range(6000)) for mark in marks for low in (0, 128)]
    files += [mark + b"words in ASCII, after a mark of something else\n" * 40 for mark in MARKS.values()]
    files += [mark + bytes((i * 7919 + i // 256) % 256 for i in range(6000)) for mark in marks]
    files += [b"\xff\xfea\0b", b"abc\0de" * 30, bytes(range(256)) * 20, b"\xff\xfe\0\0\0\0\x11\0" * 9]
    files += [MARKS["utf-16-le"] + "a\0".encode("utf-16-le") * 40, MARKS["utf-16-le"] + b"\0\xd8" * 40]
    for data, (text, sentence) in zip(files, as_text(*files), strict=True):
        assert text is None and sentence.startswith("words.txt"), (data[:8], sentence)


def test_iso_2022_is_ascii_and_is_refused():
    english = "The quick brown fox. " * 40
    files = [(english + "吾輩は猫である").encode("iso2022_jp"), (english + "우리는 매일").encode("iso2022_kr")]
    for text, sentence in as_text(*files):
        assert text is None and "ISO-2022" in sentence, (text, sentence)
    (text, _) = as_text((english + "\x1b[31mred\x1b[0m").encode())[0]
    assert text == english + "\x1b[31mred\x1b[0m"


def test_an_encoding_that_is_not_certain_is_refused_with_its_name():
    (text, sentence) = as_text("ВСЕ СЧАСТЛИВЫЕ СЕМЬИ ПОХОЖИ ДРУГ НА ДРУГА\n".encode("cp1251"))[0]
    assert text is None and "it may be Windows-1251 (Cyrillic)" in sentence and "save it as UTF-8" in sentence


# ---- cells of datasets -------------------------------------------------------------------------

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
CELLS = [
    ("  two\r\nlines \n", "  two\nlines"),
    (None, ""),
    (5, ""),
    ([["a"], [None, "b"]], "a\nb"),
    (TURNS, "user: hi\nassistant: yo"),
    ({"role": ["user", "assistant"], "content": ["hi", "yo"]}, "user: hi\nassistant: yo"),
    ([{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "human: a\ngpt: b"),
    ({"messages": TURNS, "score": 1}, "user: hi\nassistant: yo"),
    ([{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}]}], "user: x"),
    ({"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}, ""),
    ({"question": "q", "answers": {"text": ["a", "b"], "answer_start": [1, 2]}}, "q\na\nb"),
    ({"en": "a", "de": "b"}, "a\nb"),
]  # fmt: skip
STRING = {"dtype": "string", "_type": "Value"}
TYPES = [
    (STRING, True),
    ({"dtype": "large_string", "_type": "Value"}, True),
    ({"dtype": "string_view", "_type": "Value"}, True),
    ({"_type": "Json"}, True),
    ({"_type": "List", "feature": {"role": STRING, "content": STRING}}, True),
    ({"_type": "LargeList", "feature": STRING}, True),
    ([{"from": STRING, "value": STRING}], True),
    ({"feature": STRING, "_type": "Sequence"}, True),
    ({"feature": STRING, "text": STRING}, True),  # a record with a field of that name
    ({"_type": "Translation", "languages": ["de", "en"]}, True),
    ({"dtype": "null", "_type": "Value"}, False),
    ({"dtype": "int64", "_type": "Value"}, False),
    ({"_type": "ClassLabel", "names": ["a"]}, False),
    ({"_type": "Image"}, False),
    ({"_type": "SomethingNew"}, False),
    (None, False),
]


def test_cells_of_every_type_become_their_text():
    got = node(
        "const { textOf } = await page('data/cells.js'); return given.map((one) => textOf(one));", [c for c, _ in CELLS]
    )
    assert got == [text for _, text in CELLS]
    got = node(
        "const { isText } = await page('data/cells.js'); return given.map((one) => isText(one));", [t for t, _ in TYPES]
    )
    assert got == [yes for _, yes in TYPES]
    named = "const { typeName } = await page('data/cells.js'); return given.map((one) => typeName(one));"
    assert node(
        named, [{"_type": "List", "feature": {"_type": "Value", "dtype": "int64"}}, {"_type": "New"}, None]
    ) == [
        "List(Value(int64))",
        "New",
        "an unknown type",
    ]


# ---- linear time -------------------------------------------------------------------------------

SLOW = [
    " " * LONG + "x",
    "x" + " " * LONG + "y",
    "\n" * LONG + "x",
    "x" + "\n " * (LONG // 2) + "y",
    "." * LONG + "x",
    "\r" * LONG + "x",
]


def test_a_text_of_a_million_spaces_or_dots_costs_no_time():
    """The square of a million is hours; a slow machine has seconds."""
    took = node(
        """
        globalThis.navigator ??= {};
        const { OwnTexts } = await page("data/own_texts.js");
        const { encode, decode } = await page("worker/json_text.js");
        const functions = {
            cell: (await page("data/cells.js")).textOf,
            sentence: (await page("ui/format.js")).sentence,
            name: (text) => OwnTexts.prototype.free.call({ texts: new Map(), onDisk: [] }, text),
            json: (text) => decode(encode([NaN, text, `"${text}\\\\`])),
        };
        const took = {};
        for (const [name, call] of Object.entries(functions))
            for (const text of given) {
                const begun = performance.now();
                call(text);
                took[name] = Math.max(took[name] ?? 0, performance.now() - begun);
            }
        return took;
        """,
        SLOW,
    )
    assert len(took) == 4 and max(took.values()) < 10_000, took


def test_the_patterns_of_completion_take_linear_time():
    source = (ROOT / "py" / "tinygpt_session" / "language" / "completion.py").read_text()
    patterns = dict(re.findall(r'^([A-Z_]+) = re\.compile\(r"(.*)"\)$', source, re.M))
    assert set(patterns) == {"WORD", "FROM_IMPORT", "IMPORT", "CHAIN"}
    units = [".", "a", "a.", " ", "a,", "a, ", "a as b, ", "("]
    begins = ["", "from ", "from x import ", "import ", "from", "import a", "import a as", "from x import ("]
    for name, pattern in patterns.items():
        find = re.compile(pattern).search if name in ("WORD", "CHAIN") else re.compile(pattern).match
        for text in (begin + unit * 100_000 + "!" for begin in begins for unit in units):
            assert find(text) is None  # ends: the square of 100,000 would take minutes for each
