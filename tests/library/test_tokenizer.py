"""Tokenizers: every text comes back, unknown characters are named, streams never show half a
character, untrusted JSON is refused.
"""

import json
import random

import pytest

from tinygpt.tokenizer import ByteTokenizer, CharTokenizer, StreamDecoder, from_dict

pytestmark = pytest.mark.fast

TEXT = "To be, or not to be — naïve 日本語 🙂 e\u0301\n"


@pytest.mark.parametrize("make", [ByteTokenizer, lambda: CharTokenizer(TEXT)])
def test_text_comes_back_and_streams_in_whole_characters(make):
    tokenizer = make()
    ids = tokenizer.encode(TEXT)
    assert ids.typecode == "i" and min(ids) >= 0 and max(ids) < tokenizer.vocab_size
    assert tokenizer.decode(ids) == TEXT
    stream = StreamDecoder(tokenizer)
    pieces = [stream.push(i) for i in ids]
    assert "".join(pieces) == TEXT and stream.flush() == ""
    assert all(len(piece) <= 1 for piece in pieces)
    assert from_dict(json.loads(json.dumps(tokenizer.to_dict()))) == tokenizer


def test_bytes_are_the_tokens():
    assert list(ByteTokenizer().encode("aé")) == [97, 0xC3, 0xA9] == list(ByteTokenizer().encode(b"a\xc3\xa9"))


def test_stream_equals_python_decoding_of_any_bytes():
    rng = random.Random(1)
    for _ in range(300):
        data = bytes(rng.choice((rng.randrange(256), 0xE2, 0x82, 0xAC, 0xF0, 0x9F)) for _ in range(rng.randrange(12)))
        stream = StreamDecoder(ByteTokenizer())
        assert "".join(stream.push(b) for b in data) + stream.flush() == data.decode("utf-8", "replace")


def test_an_unfinished_character_is_held_back_then_replaced():
    stream = StreamDecoder(ByteTokenizer())
    assert [stream.push(b) for b in "€".encode()[:2]] == ["", ""]
    assert stream.flush() == "\ufffd"


def test_errors_name_the_offender():
    with pytest.raises(ValueError, match=r"'z' \(U\+007A\) at position 1 is not among the 2 characters"):
        CharTokenizer("ab").encode("az")
    with pytest.raises(ValueError, match="empty"):
        CharTokenizer("")
    with pytest.raises(ValueError, match=r"token 256 at position 1 is outside the vocabulary \[0, 256\)"):
        ByteTokenizer().decode([0, 256])
    with pytest.raises(ValueError, match="token -1"):
        StreamDecoder(CharTokenizer("ab")).push(-1)
    with pytest.raises(ValueError, match="half of a character"):
        ByteTokenizer().encode("ok\ud800")


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        "bytes",
        {},
        {"kind": "bpe"},
        {"kind": []},
        {"kind": "bytes", "more": 1},
        {"kind": "chars"},
        {"kind": "chars", "characters": ""},
        {"kind": "chars", "characters": "ba"},
        {"kind": "chars", "characters": "aa"},
        {"kind": "chars", "characters": ["a"]},
        {"kind": "chars", "characters": "a\ud800"},
    ],
)
def test_untrusted_descriptions_are_refused(values):
    with pytest.raises(ValueError, match="tokenizer"):
        from_dict(values)
