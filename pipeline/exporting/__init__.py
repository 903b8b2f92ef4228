"""Models that travel: a run's forecaster as files that others run without this package."""
