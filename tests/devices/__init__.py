"""What every device does, and the border between Python and the extension."""
