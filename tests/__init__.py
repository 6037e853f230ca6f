"""The tests mirror the tree; `tests.hosts` runs Python on each host, and everything else builds on that."""
