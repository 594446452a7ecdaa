"""Errors of a training run, written for whoever started it."""

from patchfield.errors import PatchfieldError


class TrainingError(PatchfieldError):
    """A run cannot start, go on or be resumed; the message is one complete sentence."""


def require(condition: object, requirement: str) -> None:
    """Refuse settings that cannot be run.

    Raises
    ------
    TrainingError
        When the condition does not hold.

    Examples
    --------
    >>> require(4 > 1, "steps must be at least 1")
    """
    if not condition:
        raise TrainingError(f"these settings cannot be run: {requirement}.")
