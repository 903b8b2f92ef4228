"""Train one configuration, once per seed."""
