"""Tests of vidal/net."""
