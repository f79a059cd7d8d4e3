"""Tests of vidal/train."""
