"""The search against what else forecasts: `make peers`. Each contender forecasts every set in a process of its own."""
