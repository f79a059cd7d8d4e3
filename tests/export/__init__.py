"""Tests of vidal/export."""
