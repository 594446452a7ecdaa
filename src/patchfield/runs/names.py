"""What a trained backbone may be called: its name is that of a file, on every system."""

from collections.abc import Container

from patchfield.runs.folder import RunError

STUDENT_SUFFIX = "-student"
"""What the second of two networks of a run is called, after the name of the first."""

MAX_BYTES = 200
"""Of a name in UTF-8; file systems allow 255, with suffix and all."""

_FORBIDDEN = frozenset('/\\:*?"<>|')
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
"""Names that Windows keeps for itself."""


def listed_names(name: str) -> tuple[str, str]:
    """The names under which a run's networks are listed: the first one's, and that of a student beside it."""
    return name, f"{name}{STUDENT_SUFFIX}"


def check_name(name: str, taken: Container[str] = ()) -> None:
    """Refuse what cannot be the name of a new backbone.

    Parameters
    ----------
    name : str
    taken : container of str
        Names of other backbones.

    Raises
    ------
    RunError

    Examples
    --------
    >>> check_name("steel 3 (x)")
    >>> check_name("a/b")
    Traceback (most recent call last):
    ...
    patchfield.runs.folder.RunError: 'a/b' cannot be the name of a backbone: use letters, digits, spaces, dots, dashes.
    """
    first = name[:1]
    fits = (
        (first.isalnum() or first == "_")
        and name.isprintable()
        and not set(name) & _FORBIDDEN
        and not name.endswith((".", " "))
        and name.partition(".")[0].lower() not in _DEVICES
    )
    if not fits:
        raise RunError(
            f"{ascii(name) if not name.isprintable() else repr(name)} cannot be the name of a backbone: "
            "use letters, digits, spaces, dots, dashes."
        )
    if len(name.encode()) > MAX_BYTES:
        raise RunError(f"'{name[:20]}…' is too long for the name of a backbone: use at most {MAX_BYTES} bytes.")
    for listed in listed_names(name):
        if listed in taken:
            raise RunError(f"there is a backbone '{listed}' already: choose another name.")
