"""The page's own texts (app/data/own_texts.js) for `tinygpt.data.find_corpus`, and the tokens that
a text becomes.

A text stays with the page until a run requests it: then it is read through its blob: address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import output_channel
from ..dispatch import handles
from ..fetching import fetched

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import protocol


@handles("texts")
def texts(args: protocol.TextsArgs, part: object) -> list[str]:
    """All texts of the page; what came before and is not among them is withdrawn. Their names. The
    page has chosen them; one that is wrong is left out alone.
    """
    from tinygpt import corpora

    for name in corpora.provided():
        corpora.withdraw(name)
    for text in args["texts"]:
        try:
            name, note = text["name"], text.get("note") or ""
            if name not in corpora.CORPORA:
                corpora.keep_provided(name, _reader(name, text["url"]), note, text["bytes"])
        except (KeyError, TypeError) as error:
            output_channel.notice("A text of the page is left out: %s.\n" % error)
    return corpora.provided()


def _reader(name: str, url: str) -> Callable[[], bytes]:
    from tinygpt.corpora import CorpusError

    def read() -> bytes:
        try:
            return fetched(url)
        except Exception as error:  # a JavaScript error: another tab removed the text, or the browser did
            raise CorpusError(
                "the text %r is no longer stored in this browser; add it again under Data" % name
            ) from error

    return read


@handles("tokenizer")
def tokenizer(args: protocol.NoArgs, part: object) -> protocol.TokenizerAnswer:
    """The current run's tokenizer; bytes, as in train.py, where nothing has run."""
    from tinygpt import loop
    from tinygpt.tokenizer import ByteTokenizer

    run = loop.current
    kept = run.kept if run is not None else {}
    used = (
        kept.get("tokenizer")
        or getattr(kept.get("data"), "tokenizer", None)
        or getattr(run, "tokenizer", None)
        or ByteTokenizer()
    )
    return {"kind": getattr(used, "kind", type(used).__name__), "vocab_size": used.vocab_size}
