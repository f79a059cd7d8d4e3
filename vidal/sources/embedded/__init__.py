"""The embedded source: a small real website on loopback, made of media that arrive inside PyPI packages."""
