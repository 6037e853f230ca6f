"""What every stage of the set-up uses: where the sources and the results are, its error, its
progress on the terminal, files that are written whole or not at all, and commands of the machine.
"""

import errno
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ROOT / "public"


def leads_out(path, folder):
    """Whether a path that a search of the folder gave is a link out of it. The search enters no
    links, so only the path itself can be one.
    """
    try:
        return path.is_symlink() and not path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):  # a loop of links
        return True


class SetupError(Exception):
    """One sentence for the person at the terminal: what is missing and what to do."""


FULL = "the disk is full: %(path)s could not be written; make room for 200 MB and start again"
FOREIGN = (
    "%(path)s may not be changed by this user; give it to yourself (sudo chown -R $USER), or use a copy of your own"
)
READ_ONLY = "%(path)s is on a file system that is read-only; copy TinyGPT to a place where you may write"
SENTENCES = {"ENOSPC": FULL, "EDQUOT": FULL, "EACCES": FOREIGN, "EPERM": FOREIGN, "EROFS": READ_ONLY}


def explained(error, place):
    """The sentence for an OSError. place: what was being made, where the error names no file."""
    path = place if error.filename is None else os.fsdecode(error.filename)
    sentence = SENTENCES.get(errno.errorcode.get(error.errno, ""))
    if sentence:
        return sentence % {"path": path}
    return "%s could not be used (%s); start again, and delete it where that does not help" % (
        path, error.strerror or str(error) or type(error).__name__,
    )  # fmt: skip


def write(path, content):
    """Bytes to a file, whole or not at all. What a killed process left of it goes."""
    remove_parts(path.parent, path.name)
    partial = path.with_name("%s.part%d" % (path.name, os.getpid()))
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_parts(folder, name="*"):
    """Deletes what `write` left in a folder when it was killed."""
    for path in folder.glob(name + ".part*"):
        if re.search(r"\.part\d+$", path.name):
            path.unlink(missing_ok=True)


def run(command, **options):
    """(status, what it wrote) of a command. Its output may be in any encoding. SetupError where it
    cannot be started.
    """
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
        )
    except OSError as error:
        raise SetupError("%s could not be started: %s" % (command[0], error.strerror)) from error
    return done.returncode, re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", done.stdout.decode("utf-8", "replace"))


def said(output):
    """The line of a command's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "nothing")[:300]


def node():
    """The path of Node.js, 20 or newer."""
    path = shutil.which("node")
    if path is None:
        raise SetupError("Node.js is not installed; install version 20 or newer and start again")
    status, output = run([path, "--version"])
    version = re.match(r"v(\d+)\.", output.strip())
    if status or not version:
        raise SetupError(
            "%s does not work: it said %s; install Node.js 20 or newer and start again" % (path, said(output))
        )
    if int(version[1]) < 20:
        raise SetupError(
            "Node.js %s is too old (%s); install version 20 or newer and start again" % (output.strip(), path)
        )
    return path


class Progress:
    """One line per stage on stderr; on a terminal the line shows the work's count as it goes."""

    def __init__(self, stream=sys.stderr):
        self.stream = stream
        self.live = stream.isatty()
        self.stage, self.width, self.shown = "", 0, 0.0

    def begin(self, stage):
        self.stage, self.shown = stage, time.monotonic()  # a stage that is done at once says nothing

    def __call__(self, text):
        """A step inside the stage, e.g. `fetched 1.2 of 3.2 MB`."""
        now = time.monotonic()
        if now - self.shown > (0.05 if self.live else 2.0):
            self.shown = now
            self._line(text, end="" if self.live else "\n")

    def note(self, text):
        """Something that the person should know, kept on the screen."""
        self._line(text, end="\n")

    def _line(self, text, end):
        line = "%-10s %s" % (self.stage, text)
        clear = "\r" if self.live else ""
        self.stream.write(clear + line.ljust(self.width if self.live else 0) + end)
        self.stream.flush()
        self.width = 0 if end else len(line)
