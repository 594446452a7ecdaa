"""Notifications of what went wrong."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from napari.utils.notifications import ErrorNotification, notification_manager, show_error

from patchfield.errors import PatchfieldError, error_sentence

logger = logging.getLogger(__name__)

P = ParamSpec("P")


def notify(error: Exception) -> None:
    """Show an error as a napari notification.

    Errors that a user can act on are one sentence. Anything else is a defect of the plugin: the traceback goes to the
    log and behind the notification's button.
    """
    sentence = error_sentence(error)
    if sentence is not None:
        show_error(sentence)
        return
    logger.error("Unexpected error in the Patchfield plugin", exc_info=error)
    notification_manager.dispatch(ErrorNotification(error))


def notify_refusals(verb: Callable[P, object]) -> Callable[P, None]:
    """A verb whose refusals become notifications instead of tracebacks."""

    @wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            verb(*args, **kwargs)
        except PatchfieldError as refusal:
            notify(refusal)

    return call
