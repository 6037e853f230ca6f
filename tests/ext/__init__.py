"""The built extension and its bridge."""
