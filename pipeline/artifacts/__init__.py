"""Files of a run that programs read back: weights, tables, test errors."""
