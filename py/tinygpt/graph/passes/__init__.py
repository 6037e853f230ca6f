"""Passes over a captured Program: fuse launches, then plan the memory of what is left."""
