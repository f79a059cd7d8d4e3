"""Tests of vidal/sources."""
