"""Facts drawn as SVG."""
