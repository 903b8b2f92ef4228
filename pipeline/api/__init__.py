"""The door for Python: what `from pipeline import ...` gives to a notebook, and what the commands call."""
