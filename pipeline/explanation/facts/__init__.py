"""What is true of a configuration, as plain values."""
