"""Signals of objects that go."""

from psygnal import Signal, SignalInstance


def disconnect_all(*owners: object) -> None:
    """Disconnect every listener from all signals of some objects.

    When a window goes, Qt destroys its widgets at once while a job may still have something to report; nothing must
    reach the widgets then.
    """
    for owner in owners:
        for name, attribute in vars(type(owner)).items():
            if isinstance(attribute, Signal):
                instance: SignalInstance = getattr(owner, name)
                instance.disconnect()
