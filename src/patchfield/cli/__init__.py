"""The `patchfield` command: arguments -> calls, and what the terminal shows of them."""

from patchfield.cli.app import main

__all__ = ["main"]
