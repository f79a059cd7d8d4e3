"""Runs the stages of a build on batches of records, in worker processes or in this process."""
