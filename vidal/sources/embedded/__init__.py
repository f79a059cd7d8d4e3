"""The embedded site: a small real website on loopback, made of media files that installed packages contain."""
