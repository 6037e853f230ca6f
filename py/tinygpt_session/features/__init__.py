"""What the page requests of Python: each module registers its handlers with `dispatch.handles`."""
