"""The visitor's files on their way between the page and the folder that code works in
(page_files.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import tinygpt_host as host

from .. import dispatch, page_files
from ..fetching import fetched

if TYPE_CHECKING:
    from .. import protocol


@dispatch.handles("files")
def files(args: protocol.FilesArgs, part: object) -> list[str]:
    """The tree as the page has it: the paths whose contents Python lacks."""
    return page_files.wanted(args["files"])


@dispatch.handles("place files")
def place(args: protocol.PlaceFilesArgs, part: object) -> None:
    """Contents of files, one after the other behind one address."""
    content = memoryview(fetched(args["url"]))
    at = 0
    for file in args["files"]:
        page_files.place(file["path"], file["version"], content[at : at + file["bytes"]])
        at += file["bytes"]


@dispatch.handles("written files")
def written(args: protocol.NoArgs, part: object) -> list[protocol.WrittenFile]:
    """What code has written."""
    return page_files.written()


@dispatch.handles("read file", deferred=True)
def read(args: protocol.PageFile, answer: dispatch.Answer) -> object:
    """The bytes of a file that code has written."""
    host.answerBytes(answer.number, page_files.read(args["path"], args["version"]))
    return dispatch.LATER
