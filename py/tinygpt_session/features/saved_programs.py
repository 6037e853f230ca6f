"""A saved program of plain PyTorch code: its state_dicts become a file in the folder that code
starts in, where torch.load finds it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from .. import dispatch, torch_program
from ..fetching import fetched

if TYPE_CHECKING:
    from .. import protocol

_written: set[str] = set()  # paths that this module made


@dispatch.handles("place program")
def place(args: protocol.PlaceProgramArgs, part: object) -> protocol.PlaceProgramAnswer:
    """{url}: the file of torch.save; {name}: of the run. The file is NAME.pt; one of that name that
    code has written stays.
    """
    from tinygpt.storage import torch_file

    data = fetched(args["url"])
    held = torch_file.read(data)
    stem = re.sub(r"[^\w .()-]+", "-", args["name"]).strip(". ") or "run"
    path, number = stem + ".pt", 2
    while os.path.lexists(path) and os.path.abspath(path) not in _written:
        path, number = "%s %d.pt" % (stem, number), number + 1
    with open(path, "wb") as file:
        file.write(data)
    _written.add(os.path.abspath(path))
    torch_program.forget()
    return {"path": path, "names": [name for name in held if name not in ("step", "source", "left_out")]}
