"""Sections that are folded as they were left."""

from functools import partial

from qtpy.QtWidgets import QWidget

from patchfield.napari._qt.cards import Section
from patchfield.napari.session.settings import Settings


def remember_folding(panel: QWidget, settings: Settings) -> None:
    """Fold and unfold the sections of a panel as they were left, and remember how they are left this time."""
    for section in panel.findChildren(Section):
        title = section.title
        if title in settings.memory.folded:
            (section.collapse if settings.memory.folded[title] else section.expand)(animate=False)
        section.toggled.connect(partial(_fold, settings, title))


def _fold(settings: Settings, title: str, expanded: bool) -> None:
    settings.fold(title, not expanded)
