"""Studies of published numbers: the airline tutorial, its protocol, and the same weights scored under both."""
