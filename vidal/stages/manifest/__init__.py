"""Joins the tables of all stages into one row per clip."""
