"""Forecasts that need no network: what every network is compared with, on the same timestamps. One file each."""
