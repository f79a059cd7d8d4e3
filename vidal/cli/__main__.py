"""Runs the command line as `python -m vidal.cli`."""

from vidal.cli.main import main

main()
