"""Training parity: the same weights and batches, here and in PyTorch, compared at every step."""
