"""Tests of vidal/terms."""
