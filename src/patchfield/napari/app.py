"""napari with the panel docked and a sample open: ``python -m patchfield.napari.app [--sample NAME]``."""

import argparse
import signal

import napari
from napari.settings import get_settings
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from patchfield.napari._qt.panel import PatchfieldPanel
from patchfield.napari.plugin import PLUGIN, layer_data
from patchfield.samples import samples

FIRST_SAMPLE = "alloy"
SIZE = (1600, 1000)
"""Pixels of the window at the first start, where the screen is as large."""


def open_window(sample: str | None = FIRST_SAMPLE, *, show: bool = True) -> tuple[napari.Viewer, PatchfieldPanel]:
    """A napari window with the panel docked and, unless None, a sample open.

    Raises
    ------
    ImageError
        When there is no such sample.
    """
    layers = [] if sample is None else layer_data(sample)
    viewer = napari.Viewer(title="Patchfield", show=show)
    for pixels, arguments, kind in layers:
        getattr(viewer, f"add_{kind}")(pixels, **arguments)
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN)
    _give_room(viewer)
    return viewer, panel


def _give_room(viewer: napari.Viewer) -> None:
    """Make the window large where napari remembers no size, and let the image fit what the panel leaves of it."""
    screen = QApplication.primaryScreen()
    if get_settings().application.window_size is None and screen is not None:
        room = screen.availableGeometry()
        viewer.window.resize(min(SIZE[0], room.width()), min(SIZE[1], room.height()))
    # Once the window has its size.
    QTimer.singleShot(0, viewer.reset_view)


def main(sample: str | None = FIRST_SAMPLE) -> None:
    """Open the window and run until it is closed, or until Ctrl+C in the terminal."""
    open_window(sample)
    signal.signal(signal.SIGINT, lambda *_: QApplication.closeAllWindows())
    # Python looks at signals only while Python runs; Qt's event loop would keep Ctrl+C waiting for ever.
    heartbeat = QTimer()
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(200)
    napari.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Open napari with Patchfield and a sample.")
    parser.add_argument("--sample", default=FIRST_SAMPLE, choices=[entry.name for entry in samples()])
    main(parser.parse_args().sample)
