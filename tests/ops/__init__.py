"""Every op of the public API against PyTorch: `table` lists expressions, `execute` evaluates one,
here or on another host.
"""
