"""Facts drawn with characters."""
