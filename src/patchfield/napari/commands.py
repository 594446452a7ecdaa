"""What can be done from napari's command palette and menus; the panel is opened where it is not."""

from collections.abc import Callable

from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari._qt.panel import PatchfieldPanel
from patchfield.napari.plugin import opened_panel


def next_image() -> None:
    _do(lambda panel: panel.controller.images.step(1))


def previous_image() -> None:
    _do(lambda panel: panel.controller.images.step(-1))


def next_unsure_place() -> None:
    _do(lambda panel: panel.controller.tour.next())


def learn() -> None:
    _do(lambda panel: panel.controller.learn())


def segment_all_planes() -> None:
    _do(lambda panel: panel.controller.applying.to_all_planes())


def segment_other_images() -> None:
    _do(lambda panel: panel.controller.applying.to_other_images())


def find_objects() -> None:
    """Find and measure the objects of the class that is chosen in the Objects section."""
    _do(lambda panel: panel.objects.find_and_show())


def objects_table() -> None:
    _do(lambda panel: panel.objects.show_table())


def open_images() -> None:
    """Ask for image files, and read them as the command line does: axes, colours, all positions, large ones lazily."""
    _do(lambda panel: panel.images.open_files())


def open_folder() -> None:
    _do(lambda panel: panel.images.open_folder())


def _do(something: Callable[[PatchfieldPanel], object]) -> None:
    """Do something in the panel; what is refused becomes a notification."""
    notify_refusals(lambda: something(opened_panel()))()
