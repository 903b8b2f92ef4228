"""Networks from standard Keras layers, and their state."""
