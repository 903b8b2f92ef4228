"""Scores in the data's own units, baselines on the same timestamps, statistics over seeds. No TensorFlow, no MLflow."""
