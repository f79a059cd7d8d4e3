"""Stages, one file each: a worker that maps a record, and the Stage that describes it. Their order stands in `order`.

A worker process imports only the stages that it runs.
"""
