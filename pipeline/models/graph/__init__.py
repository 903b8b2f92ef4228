"""A forecaster as a list of some twenty plain operations, from which files of several formats are written."""
