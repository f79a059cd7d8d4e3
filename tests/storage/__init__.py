"""Tests of vidal/storage."""
