"""``python -m patchfield`` is the `patchfield` command."""

from patchfield.cli import main

main()
