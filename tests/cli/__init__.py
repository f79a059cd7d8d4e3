"""Tests of vidal/cli."""
