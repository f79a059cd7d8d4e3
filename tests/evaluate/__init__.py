"""Tests of vidal/evaluate."""
