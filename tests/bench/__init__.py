"""Speed, end to end: the training step and generation, on every device and host, beside native
PyTorch.
"""
