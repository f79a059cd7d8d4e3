"""Tests of vidal/pipeline."""
