"""One configuration from data to record, and a sweep's report."""
