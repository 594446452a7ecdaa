"""Ending conversations."""

from psygnal import Signal


def silence(*owners: object) -> None:
    """Disconnect all signals of some objects.

    When a window goes, Qt destroys its widgets at once while a job may still have something to report; nobody must
    be told then.
    """
    for owner in owners:
        for name, attribute in vars(type(owner)).items():
            if isinstance(attribute, Signal):
                getattr(owner, name).disconnect()
