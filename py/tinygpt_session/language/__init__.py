"""What the editor requests: completions, hover and problems, from the source and the live objects;
nothing is executed.
"""
