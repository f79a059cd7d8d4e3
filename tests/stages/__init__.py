"""Tests of vidal/stages."""
