"""The way back to the GUI thread."""

from collections.abc import Callable

from qtpy.QtCore import QCoreApplication, QObject, Qt, Signal


class GuiThread(QObject):
    """Runs calls on the GUI thread, in the order in which they were posted."""

    _called = Signal(object)

    def __init__(self, application: QCoreApplication) -> None:
        # The application owns it: jobs may still report when their panel is gone.
        super().__init__(application)
        self._called.connect(_run, Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg]  # missing in the stubs

    def post(self, call: Callable[[], None]) -> None:
        """Run `call` when the event loop comes to it; may be called from any thread."""
        try:
            self._called.emit(call)
        except RuntimeError:
            # The application ended, and Qt's half of this object with it: nothing is left to be shown.
            return


def _run(call: Callable[[], None]) -> None:
    call()


def gui_thread() -> GuiThread:
    """The one of the running application."""
    application = QCoreApplication.instance()
    if application is None:
        raise RuntimeError("A GUI thread needs a QApplication: open a napari window first.")
    return application.findChild(GuiThread) or GuiThread(application)
