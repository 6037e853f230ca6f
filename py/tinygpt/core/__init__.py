"""Tensors and what holds for all of them: the tape, compile, transfers between devices, reads that
arrive later.
"""
