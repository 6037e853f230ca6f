"""Tensors, the tape, compile, transfer between devices."""
