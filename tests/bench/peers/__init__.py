"""Other libraries in the browser making TinyGPT's training step: jax.js and tfjs.js, run by
runner.js in page.html, driven by host.py.
"""
