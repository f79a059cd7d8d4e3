"""Tests of vidal/config."""
