"""From a file to windows: load, validate, transform, split, scale, window, and lanes for a stateful network."""
