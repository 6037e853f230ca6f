"""Python's side of the page: completion and diagnostics."""
