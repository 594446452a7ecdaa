"""Errors whose message is written for the user: what went wrong, where, and what to do about it.

The command line prints the sentence and exits with 1; the napari panel shows it as a notification.
Everything else that escapes is a defect of ours and keeps its traceback.
"""


class PatchfieldError(ValueError):
    """Base of all errors that a user's input can cause; the message is one complete sentence."""


class ImageError(PatchfieldError):
    """An image cannot be read or is not something a model can look at."""


class LabelError(PatchfieldError):
    """Painted labels do not fit their image or do not suffice to train."""


class BackboneError(PatchfieldError):
    """A backbone is unknown, cannot be loaded, or its file is not what it should be."""


class FieldError(PatchfieldError):
    """A feature field is asked for something outside of it, or two fields do not fit together."""


class ProbeError(PatchfieldError):
    """A probe is not fitted, cannot be read, or belongs to other features."""
