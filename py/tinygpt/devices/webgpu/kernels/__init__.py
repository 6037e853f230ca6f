"""The plans of the contract's kernels, by family: how each launch becomes dispatches of shaders/."""
