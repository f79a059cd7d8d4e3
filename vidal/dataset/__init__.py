"""Operations on a dataset: build its shards, check them, and change which clips they hold."""
