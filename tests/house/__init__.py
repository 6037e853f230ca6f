"""The repository itself: tree, imports, documents, packages, style."""
