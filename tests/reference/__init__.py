"""The PyTorch side: model, training, LoRA."""
