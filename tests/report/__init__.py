"""Tests of vidal/report."""
