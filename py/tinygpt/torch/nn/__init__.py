"""torch.nn: modules, and what they are made of."""
