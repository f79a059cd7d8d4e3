"""Trains and measures the small estimators of depth and infrared that ship with the package: python -m vidal.estimators."""
