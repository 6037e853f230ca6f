"""What a training run is made of, under `tinygpt.loop`: its steps, edited code, memory, lost
devices, checkpoints.
"""
