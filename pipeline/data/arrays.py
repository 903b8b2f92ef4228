"""The types of arrays, by what they hold; their shape is said where they are used."""

import numpy as np

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.floating]]
IntArray = np.ndarray[tuple[int, ...], np.dtype[np.integer]]
BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
