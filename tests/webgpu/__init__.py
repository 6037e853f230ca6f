"""The device layer of WebGPU: memory, submits, limits, errors, loss of the device. On Dawn in Node
with lavapipe.
"""
