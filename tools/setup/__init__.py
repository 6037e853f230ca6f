"""What must be in place before the page can be served, stage by stage, with progress on the
terminal.

packages  npm packages as package-lock.json pins them                  -> node_modules/
wheels    NumPy, micropip and packaging for the tab, by checksum       -> public/wheels/
runtime   Pyodide with a precompiled standard library, PyScript,
          CodeMirror in one file, uPlot                                -> public/vendor/
corpora   the texts to train on                                        -> public/corpora/
extension a check that the built C++ extension is whole                   public/ext/

A stage that finds its result up to date does nothing, so a second start takes a fraction of a
second. Up to date means complete: each result has a mark of completion (a size, a checksum), which
is written after it. So a start repairs what a killed one left, and a file that was cut off is made
or fetched again. A stage that cannot do its work raises `SetupError` with one sentence; what the
page can live without (NumPy, the extension) is a note instead.
"""

from . import corpora, extension, packages, runtime, wheels
from .stage import PUBLIC, ROOT, Progress, SetupError, explained

__all__ = ["PUBLIC", "ROOT", "Progress", "SetupError", "explained", "prepare"]


def prepare(progress=None):
    """Brings everything up to date. Returns nothing; raises SetupError where the page could not
    work.
    """
    progress = progress or Progress()
    for name, stage in (
        ("packages", packages),
        ("wheels", wheels),
        ("runtime", runtime),
        ("corpora", corpora),
        ("extension", extension),
    ):
        progress.begin(name)
        try:
            stage.prepare(progress)
        except OSError as error:
            raise SetupError(explained(error, "a file of the stage %s" % name)) from error
        except (ValueError, LookupError, TypeError) as error:  # a file of TinyGPT itself that was cut off
            raise SetupError(
                "the stage %s found a file that it cannot read (%s: %s); restore TinyGPT's own files and start again"
                % (name, type(error).__name__, " ".join(str(error).split())[:200])
            ) from error
