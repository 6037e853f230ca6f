"""Attacks: hostile links, sources, files, programs and tabs; `python3 -m tests.security`."""
