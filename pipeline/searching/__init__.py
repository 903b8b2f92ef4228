"""The search for the network of a series: space, trials, halving, folds of the past, and the champion."""
