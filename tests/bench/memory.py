"""Peak memory of a contender's process from outside: the largest resident size since `reset`, the
runtime included.

Linux keeps it for every process (VmHWM in /proc/PID/status; writing 5 to clear_refs begins anew).
Of a browser the renderers count: the page and its workers are there.
"""

import pathlib

# What the command line of a process with a page in it holds: Chromium's, Firefox's, WebKit's.
RENDERERS = b"--type=renderer", b"-isForBrowser", b"WebKitWebProcess"


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
    tree = process_tree(pid)
    renderers = [p for p in tree if any(mark in process_file(p, "cmdline") for mark in RENDERERS)]
    if renderers:
        return renderers
    return tree[:1]


def process_tree(pid):
    """The process and all that it has started, itself first."""
    children = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        fields = process_file(int(entry.name), "stat").rpartition(b")")[2].split()
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    out, waiting = [], [pid]
    while waiting:
        out.append(waiting.pop())
        waiting += children.get(out[-1], [])
    return out


def _high_water(pid):
    for line in process_file(pid, "status").split(b"\n"):
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def process_file(pid, name):
    """The bytes of /proc/PID/name; none where the process has ended."""
    try:
        return pathlib.Path("/proc/%d/%s" % (pid, name)).read_bytes()
    except OSError:
        return b""
