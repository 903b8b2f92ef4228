"""A trained network at work: rows as they arrive, and forecasts beyond the end. NumPy only, no TensorFlow."""
