"""Keyframes: the frames of a clip that are stored, and for which depth and infrared are estimated."""
