"""Tests of vidal/media."""
