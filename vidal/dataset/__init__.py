"""What can be done to a dataset: build its shards, check them, and change which clips they hold."""
