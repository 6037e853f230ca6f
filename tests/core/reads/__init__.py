"""Ways in which what a compiled function has read can change, by what it reads."""
