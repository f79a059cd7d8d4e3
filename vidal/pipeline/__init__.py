"""Runs the work: stages over parts, in worker processes or in this one."""
