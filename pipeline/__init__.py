"""Choose and understand an LSTM for a time series: configure, train, sweep, log, compare."""

__version__ = "0.1.0"
