"""Tokenizers: text to token ids and back, one byte or one character a token; and decoding a stream
token by token.

Comes in: `str` (or `bytes` for the byte tokenizer). Goes out: `array('i')` of ids in [0,
vocab_size). `to_dict` is JSON that travels in checkpoints; `from_dict` reads it back and trusts
nothing in it. Runs without a device.
"""

from __future__ import annotations

import codecs
from array import array
from sys import byteorder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Tokenizer: TypeAlias = "ByteTokenizer | CharTokenizer"


class ByteTokenizer:
    """UTF-8 bytes: 256 tokens, every text can be written in them."""

    kind = "bytes"
    vocab_size = 256

    def encode(self, text: str | bytes) -> array[int]:
        """array('i') of the UTF-8 bytes of `text` (str, or bytes as they are). Lone surrogates
        raise ValueError.
        """
        if isinstance(text, str):
            try:
                text = text.encode("utf-8")
            except UnicodeEncodeError as error:
                raise ValueError(
                    "the text holds %r at position %d, half of a character that UTF-8 cannot write; remove it"
                    % (text[error.start], error.start)
                ) from None
        # Each byte becomes the low byte of a zeroed 32-bit integer, without a list of all of them
        # on the way.
        ids = array("i", bytes(4)) * len(text)
        memoryview(ids).cast("B")[0 if byteorder == "little" else 3 :: 4] = memoryview(text).cast("B")
        return ids

    def decode(self, ids: Any) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD."""
        return bytes(check_ids(ids, 256)).decode("utf-8", "replace")

    def to_dict(self) -> dict[str, str]:
        """JSON for a checkpoint: {kind}."""
        return {"kind": "bytes"}

    def _stream(self) -> Callable[[int | None], str]:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        return lambda token: decode(b"" if token is None else bytes((token,)), token is None)

    def __eq__(self, other: object) -> bool:
        return type(other) is ByteTokenizer

    def __hash__(self) -> int:
        return hash("bytes")

    def __repr__(self) -> str:
        return "ByteTokenizer()"


class CharTokenizer:
    """The sorted characters of a corpus, one token each. Characters outside the corpus cannot be
    written.
    """

    kind = "chars"

    def __init__(self, corpus: str) -> None:
        if not isinstance(corpus, str):
            raise TypeError("CharTokenizer needs the corpus as str, not %s; decode it first" % type(corpus).__name__)
        self.characters = "".join(sorted(set(corpus)))
        if not self.characters:
            raise ValueError("the corpus is empty, so it has no characters to make tokens of; give some text")
        self._ids = {c: i for i, c in enumerate(self.characters)}

    @property
    def vocab_size(self) -> int:
        """The number of characters."""
        return len(self.characters)

    def encode(self, text: str) -> array[int]:
        """array('i') of the ids. ValueError names the first character that the corpus does not
        have.
        """
        try:
            return array("i", [self._ids[c] for c in text])
        except KeyError as error:
            unknown = error.args[0]
            raise ValueError(
                "the character %r (U+%04X) at position %d is not among the %d characters of this tokenizer; "
                "use the byte tokenizer" % (unknown, ord(unknown), text.index(unknown), self.vocab_size)
            ) from None

    def decode(self, ids: Any) -> str:
        """The text of `ids`. ValueError for an id outside the vocabulary."""
        characters = self.characters
        return "".join([characters[i] for i in check_ids(ids, len(characters))])

    def to_dict(self) -> dict[str, str]:
        """JSON for a checkpoint: {kind, characters}."""
        return {"kind": "chars", "characters": self.characters}

    def _stream(self) -> Callable[[int | None], str]:
        return lambda token: "" if token is None else self.characters[token]

    def __eq__(self, other: object) -> bool:
        return type(other) is CharTokenizer and other.characters == self.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def __repr__(self) -> str:
        return "CharTokenizer(%d characters)" % self.vocab_size


class StreamDecoder:
    """Text from tokens as they come: `push(id)` returns what became complete, "" while a UTF-8
    character is only half there.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._vocab_size, self._decode = tokenizer.vocab_size, tokenizer._stream()

    def push(self, token: Any) -> str:
        """The text that `token` completes; "" in the middle of a character."""
        (token,) = check_ids((int(token),), self._vocab_size)
        return self._decode(token)

    def flush(self) -> str:
        """What is left at the end of the stream: U+FFFD where a character was never finished."""
        return self._decode(None)


def check_ids(ids: Any, vocab_size: int) -> list[int]:
    """`ids` as a list of ints, all in [0, vocab_size); ValueError names the first that is not."""
    if hasattr(ids, "tolist"):
        ids = ids.tolist()
    ids = list(ids)
    if ids and not (min(ids) >= 0 and max(ids) < vocab_size):
        i, bad = next((i, t) for i, t in enumerate(ids) if not 0 <= t < vocab_size)
        raise ValueError(
            "token %d at position %d is outside the vocabulary [0, %d); it was made by another tokenizer"
            % (bad, i, vocab_size)
        )
    return ids


def from_dict(values: Any) -> Tokenizer:
    """The tokenizer that `to_dict` described. `values` is untrusted: anything unexpected is a
    ValueError with a sentence.
    """
    if not isinstance(values, dict):
        raise ValueError("a tokenizer must be a JSON object, not %s" % type(values).__name__)
    kind = values.get("kind")
    if kind == "bytes" and set(values) == {"kind"}:
        return ByteTokenizer()
    if kind == "chars" and set(values) == {"kind", "characters"}:
        characters = values["characters"]
        if not isinstance(characters, str) or not characters:
            raise ValueError("a chars tokenizer needs its characters as a string that is not empty")
        if any(a >= b for a, b in zip(characters, characters[1:])):
            raise ValueError("the characters of a chars tokenizer must be sorted and each there once")
        if any(0xD800 <= ord(c) <= 0xDFFF for c in characters):
            raise ValueError("the characters of a chars tokenizer hold half of a character (a lone surrogate)")
        return CharTokenizer(characters)
    raise ValueError(
        "the tokenizer %.80r is not known; the kinds are bytes and chars"
        % (values if kind in ("bytes", "chars") else kind,)
    )
