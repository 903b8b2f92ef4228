"""Heads: what the last layer of a network says about each target, how that is learnt, read and judged."""
