"""Peak memory of a contender's process from outside: the largest resident size since `reset`, the runtime included.

Linux keeps it for every process (VmHWM in /proc/PID/status; writing 5 to clear_refs begins anew). Of a browser the renderers count:
the page and its workers are there.
"""

import pathlib

RENDERER = b"--type=renderer"


def reset(pid):
    for process in _measured(pid):
        try:
            pathlib.Path("/proc/%d/clear_refs" % process).write_text("5")
        except OSError:
            pass  # not Linux, or not ours: the peak is then the one since the process began, or None


def peak(pid):
    """Bytes, or None where the system does not tell."""
    found = [_high_water(process) for process in _measured(pid)]
    return sum(found) if found and None not in found else None


def _measured(pid):
    """The process, or where it has started a browser, the browser's renderers."""
    tree = _tree(pid)
    renderers = [p for p in tree if RENDERER in _read(p, "cmdline")]
    if renderers:
        return renderers
    return tree[:1]


def _tree(pid):
    """The process and all that it has started, itself first."""
    children = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        fields = _read(int(entry.name), "stat").rpartition(b")")[2].split()
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    out, waiting = [], [pid]
    while waiting:
        out.append(waiting.pop())
        waiting += children.get(out[-1], [])
    return out


def _high_water(pid):
    for line in _read(pid, "status").split(b"\n"):
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def _read(pid, name):
    try:
        return pathlib.Path("/proc/%d/%s" % (pid, name)).read_bytes()
    except OSError:  # it has ended meanwhile
        return b""
