"""Tests of vidal/dataset."""
