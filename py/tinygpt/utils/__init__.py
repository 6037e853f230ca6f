"""torch.utils' name for what it holds."""
