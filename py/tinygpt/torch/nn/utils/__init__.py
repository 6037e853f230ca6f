"""torch.nn.utils: what is done with parameters and with sequences."""
