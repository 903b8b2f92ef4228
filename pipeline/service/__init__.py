"""Forecasts over HTTP: rows come in, each lane keeps its state, nothing that was answered is lost."""
