"""Tests of vidal/models."""
