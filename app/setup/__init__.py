"""What must be in place before the page can be served, stage by stage, with progress on the terminal.

packages  npm packages as package-lock.json pins them                  -> node_modules/
wheels    NumPy, micropip and packaging for the tab, by checksum       -> public/wheels/
runtime   Pyodide with a precompiled standard library, PyScript,
          CodeMirror in one file, uPlot                                -> public/vendor/
corpora   the texts to train on                                        -> public/corpora/
extension a check that the built C++ extension is whole                   public/ext/

A stage that finds its result up to date does nothing, so a second start takes a fraction of a second. A stage that cannot do
its work raises `SetupError` with one sentence; what the page can live without (NumPy, the extension) is a note instead.
"""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ROOT / "public"


class SetupError(Exception):
    """One sentence for the person at the terminal: what is missing and what to do."""


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


def prepare(progress=None):
    """Brings everything up to date. Returns nothing; raises SetupError where the page could not work."""
    from . import corpora, extension, packages, runtime, wheels

    progress = progress or Progress()
    for name, stage in (("packages", packages), ("wheels", wheels), ("runtime", runtime), ("corpora", corpora), ("extension", extension)):
        progress.begin(name)
        stage.prepare(progress)
