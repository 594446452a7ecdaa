"""Errors of a training run, written for whoever started it."""

from patchfield.errors import PatchfieldError


class TrainingError(PatchfieldError):
    """A run cannot start, go on or be resumed; the message is one complete sentence."""
