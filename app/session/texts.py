"""The page's own texts (app/data/own_texts.js) for `tinygpt.data.find_corpus`, and the tokens that a text becomes.

A text stays with the page until a run asks for it: then it is read through its blob: address.
"""

from .models import _fetched
from .requests import handles


@handles("texts")
def texts(args, part):
    """{texts: [{name, url, note, bytes}]}: all texts of the page; what came before and is not among them is taken back. Their names."""
    from tinygpt import corpora

    for name in corpora.provided():
        corpora.withdraw(name)
    for text in args["texts"]:
        corpora.provide(text["name"], _reader(text["name"], text["url"]), text.get("note") or "", text["bytes"])
    return corpora.provided()


def _reader(name, url):
    from tinygpt.corpora import CorpusError

    def read():
        try:
            return _fetched(url)
        except Exception as error:  # a JavaScript error: another tab removed the text, or the browser did
            raise CorpusError("the text %r is no longer kept in this browser; add it again under Data" % name) from error

    return read


@handles("tokenizer")
def tokenizer(args, part):
    """{kind: "bytes" or "chars", vocab_size} of the current run's tokenizer; bytes, as in train.py, where nothing has run."""
    from tinygpt import loop
    from tinygpt.tokenizer import ByteTokenizer

    run = loop.current
    kept = run.kept if run is not None else {}
    used = kept.get("tokenizer") or getattr(kept.get("data"), "tokenizer", None) or getattr(run, "tokenizer", None) or ByteTokenizer()
    return {"kind": getattr(used, "kind", type(used).__name__), "vocab_size": used.vocab_size}
