"""Errors whose message is written for the user: what went wrong, where, and what to do about it.

The command line prints the sentence and exits with 1; the napari panel shows it as a notification.
Everything else that escapes is a defect of ours: it is reported as one, and its traceback is kept.
"""

import errno
import os


def printable(text: str) -> str:
    r"""Text that every console, table and log takes: what is no character in a file's name is written as its escape.

    Examples
    --------
    >>> printable("gr\udcf6sse.png")
    'gr\\udcf6sse.png'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class PatchfieldError(ValueError):
    """Base of all errors that a user's input can cause; the message is one complete, :func:`printable` sentence."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class ImageError(PatchfieldError):
    """An image cannot be read or is not something a model can look at."""


class LabelError(PatchfieldError):
    """Painted labels do not fit their image or do not suffice to train."""


class TooFewClassesError(LabelError):
    """Fewer than two classes are painted."""


class BackboneError(PatchfieldError):
    """A backbone is unknown, cannot be loaded, or its file is not what it should be."""


class FieldError(PatchfieldError):
    """A feature field is asked for something outside of it, or two fields do not fit together."""


class ProbeError(PatchfieldError):
    """A probe is not fitted, cannot be read, or belongs to other features."""


class ProjectError(PatchfieldError):
    """A project cannot be opened, does not hold what is asked for, or is at work elsewhere."""


class OutputError(PatchfieldError):
    """Results cannot be written where they should, or would replace something."""


class SettingsError(PatchfieldError):
    """What the window remembers from session to session cannot be read or written."""


def error_sentence(error: BaseException) -> str | None:
    """What to tell the user about an error that is not a defect of ours; None for all others.

    Known are the errors of this module, those of the operating system, and memory that does not suffice.

    Examples
    --------
    >>> error_sentence(OSError(errno.ENOSPC, "No space left on device", "out/a.tif"))
    'out/a.tif: the disk is full: make room, or write elsewhere.'
    >>> error_sentence(KeyError("x")) is None
    True
    """
    if isinstance(error, PatchfieldError):
        return str(error)
    if (isinstance(error, OSError) and error.errno == errno.ENOMEM) or _is_out_of_memory(error):
        return (
            "There is not enough memory: close other programs, take a faster sampling or a smaller image, or cut the "
            "image into parts."
        )
    if isinstance(error, OSError):
        return _system_sentence(error)
    return None


_ADVICE = {
    errno.ENOSPC: "the disk is full: make room, or write elsewhere",
    errno.EDQUOT: "your share of the disk is used up: make room, or write elsewhere",
    errno.EROFS: "the disk is read-only: write elsewhere",
    errno.EACCES: "permission is denied: check who may read and write there",
    errno.EPERM: "permission is denied: check who may read and write there",
    errno.EISDIR: "a folder of this name stands in the way: move it, or give another name",
    errno.EEXIST: "a file of this name stands in the way: move it, or give another name",
    errno.ENOTDIR: "a part of this path is a file and no folder: give another path",
    errno.ENOENT: "there is no such file or folder: check the path",
    errno.ENAMETOOLONG: "the name is too long for this disk: give a shorter one",
    errno.ELOOP: "links lead in a circle: give the path that they stand for",
    errno.EMFILE: "too many files are open: close other programs, or raise the limit (ulimit -n)",
    errno.EIO: "the disk or the network failed: check it, and try again",
}


def _system_sentence(error: OSError) -> str:
    # Files are replaced by temporary ones: the second name is what the user knows.
    name = error.filename2 or error.filename
    subject = "" if name is None or isinstance(name, int) else printable(os.fsdecode(name))
    advice = _ADVICE.get(error.errno or 0, (error.strerror or str(error) or type(error).__name__).rstrip("."))
    return f"{subject}: {advice}." if subject else f"{advice[0].upper()}{advice[1:]}."


def _is_out_of_memory(error: BaseException) -> bool:
    """numpy and Python raise MemoryError, torch RuntimeErrors of its allocators."""
    if isinstance(error, MemoryError):
        return True
    texts = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)
