"""Photographs that come with a package, for tests that must not depend on the shared material."""

from pathlib import Path

import skimage

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
