"""Who uses which memory in a list of launches: what a fusion rule asks before it changes two of them.

Memory is a storage uid and a byte range; two buffers conflict where their ranges overlap. Positions are indices into the list, which
keeps its length: a removed launch leaves None.
"""

from .. import kernels

_INT8 = {(k.name, i) for k in kernels.KERNELS for i, b in enumerate(k.buffers) if b.dtype == "b"}


class Graph:
    """launches: program.Launch or None. temporaries: {uid: bytes} of the intermediates. uses: uid -> [(launch index, buffer position)]."""

    def __init__(self, launches, temporaries):
        self.launches, self.temporaries = list(launches), temporaries
        self.uses = {}
        self._ranges = {}
        for i, launch in enumerate(self.launches):
            self._add(i, launch)

    def _add(self, i, launch):
        for at, buffer in enumerate(launch.buffers):
            if buffer is not None:
                self.uses.setdefault(buffer[0], []).append((i, at))

    def remove(self, i):
        for buffer in self.launches[i].buffers:
            if buffer is not None:
                self.uses[buffer[0]] = [use for use in self.uses[buffer[0]] if use[0] != i]
        self.launches[i] = None

    def replace(self, i, launch):
        self.remove(i)
        self.launches[i] = launch
        self._add(i, launch)

    def covered(self, launch, at):
        """(uid, first byte, end byte) that `launch` may reach through its buffer at position `at`."""
        uid, offset = launch.buffers[at]
        key = (launch.kernel.id, launch.params)
        sizes = self._ranges.get(key)
        if sizes is None:
            extent = launch.kernel.extent(launch.params)
            sizes = self._ranges[key] = [
                extent[b.name] * (1 if (launch.kernel.name, j) in _INT8 else 4) for j, b in enumerate(launch.kernel.buffers)
            ]
        return uid, offset, offset + sizes[at]

    def uses_between(self, uid, start, end, after, before):
        """(launch index, buffer position) of each use of the range strictly between the two positions."""
        for i, at in self.uses.get(uid, ()):
            if after < i < before:
                _, first, last = self.covered(self.launches[i], at)
                if first < end and start < last:
                    yield i, at

    def touched(self, uid, start, end, after, before):
        """True when a launch strictly between the two positions reads or writes the range."""
        return any(True for _ in self.uses_between(uid, start, end, after, before))

    def written(self, uid, start, end, after, before):
        """True when a launch strictly between the two positions writes the range."""
        return any(self.launches[i].kernel.buffers[at].access != "r" for i, at in self.uses_between(uid, start, end, after, before))

    def writers(self, uid):
        return [(i, at) for i, at in self.uses.get(uid, ()) if self.launches[i].kernel.buffers[at].access != "r"]

    def producer(self, uid, consumer):
        """(launch index, buffer position) of the one launch that makes the intermediate `uid`, when `consumer` is its only other user."""
        if uid not in self.temporaries:
            return None
        uses = self.uses[uid]
        if len(uses) != 2:
            return None
        (k, at), (i, _) = sorted(uses)
        launch = self.launches[k]
        if i != consumer or k == i or launch.kernel.buffers[at].access == "r" or launch.buffers[at][1] != 0:
            return None
        return k, at

    def inputs_unchanged(self, k, i):
        """True when launch k could run at position i instead: nobody writes what it reads, or touches what it writes, in between."""
        launch = self.launches[k]
        for at, buffer in enumerate(launch.buffers):
            if buffer is None:
                continue
            check = self.written if launch.kernel.buffers[at].access == "r" else self.touched
            if check(*self.covered(launch, at), k, i):
                return False
        return True

    def drop_dead(self):
        """Removes launches all of whose results are intermediates that no later launch reads."""
        for i in range(len(self.launches) - 1, -1, -1):
            launch = self.launches[i]
            if launch is None:
                continue
            outputs = [b[0] for b, spec in zip(launch.buffers, launch.kernel.buffers) if b is not None and spec.access != "r"]
            if all(uid in self.temporaries and not any(j > i for j, _ in self.uses[uid]) for uid in outputs):
                self.remove(i)
