"""Keyframes: the frames of a clip that are stored. Depth and other views are computed from them."""
