"""Signals of objects that go."""

from psygnal import Signal, SignalInstance


def disconnect_all(*owners: object) -> None:
    """Disconnect every listener from all signals of some objects.

    When a window goes, Qt destroys its widgets at once while a job may still have something to report; nothing must
    reach the widgets then.
    """
    for owner in owners:
        names = [
            name for kind in type(owner).__mro__ for name, entry in vars(kind).items() if isinstance(entry, Signal)
        ]
        for name in names:
            instance: SignalInstance = getattr(owner, name)
            instance.disconnect()
