"""Tests of vidal/dedup."""
