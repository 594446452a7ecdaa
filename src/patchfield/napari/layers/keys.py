"""Keys: bound to the viewer and to our labels layers while the panel is open, free again afterwards.

napari ignores key bindings in plugin manifests, so they are bound in code. None of them collides with napari's own
(digits, E, P, F, L, Z, M, X, B, V, space with a labels layer), and whatever a user bound already is left alone.
"""

from collections.abc import Callable, Generator
from typing import Any

from napari.layers import Labels
from napari.utils.key_bindings import coerce_keybinding

from patchfield.napari.layers import roles
from patchfield.napari.segment.palette import Palette
from patchfield.napari.segment.unsure import UnsureTour
from patchfield.napari.workspace import Workspace

CLASS_KEYS = "QWERTYUIOP"
"""With Shift, the first ten classes: the upper row, at first the left hand's, for the right hand is on the mouse."""

DESCRIPTIONS = (
    ("PageDown, PageUp", "next, previous image"),
    ("Shift+Q … P", "paint with class 1 … 10 of the list"),
    (".   ,", "next, previous class"),
    ("F2", "rename the class"),
    ("Ctrl+Z, Ctrl+Shift+Z", "undo, redo: the segmentation follows"),
    ("S", "segmentation on and off"),
    ("U", "uncertainty on and off"),
    ("N, Shift+N", "next unsure place, and back"),
    ("H (hold)", "see the bare image"),
    ("Shift+S", "update now (when live is off)"),
)

Action = Callable[[Any], Any]


class Keys:
    """The keys of one panel.

    Parameters
    ----------
    workspace : Workspace
    tour : UnsureTour
    palette : Palette
    step : callable
        Goes on to the next image (1) or back to the previous one (-1).
    """

    def __init__(self, workspace: Workspace, tour: UnsureTour, palette: Palette, step: Callable[[int], None]) -> None:
        self._workspace = workspace
        self._bound: list[tuple[Any, str]] = []
        actions: dict[str, Action] = {
            "S": lambda _: workspace.view.toggle_segmentation(),
            "U": lambda _: workspace.view.toggle_uncertainty(),
            "N": lambda _: tour.next(),
            "Shift-N": lambda _: tour.back(),
            "F2": lambda _: workspace.rename_requested.emit(),
            "H": self._hide_while_held,
            "PageDown": lambda _: step(1),
            "PageUp": lambda _: step(-1),
            ".": lambda _: palette.step(1),
            ",": lambda _: palette.step(-1),
            "Shift-S": lambda _: workspace.learn(),
        }
        for key, action in actions.items():
            self._bind(workspace.viewer, key, action)
        workspace.annotations.selected.connect(self._bind_classes)
        self._bind_classes()

    def close(self) -> None:
        """Free all keys."""
        self._workspace.annotations.selected.disconnect(self._bind_classes)
        for owner, key in self._bound:
            owner.bind_key(key, None)
        self._bound.clear()

    def _bind_classes(self) -> None:
        current = self._workspace.current
        if current is not None and not self._is_bound(current.labels):
            for index, key in enumerate(CLASS_KEYS):
                self._bind(current.labels, f"Shift-{key}", self._selector(index))

    def _bind(self, owner: Any, key: str, action: Action) -> None:
        if coerce_keybinding(key) not in owner.keymap:
            owner.bind_key(key, action)
            self._bound.append((owner, key))

    def _is_bound(self, labels: Labels) -> bool:
        return any(owner is labels for owner, _ in self._bound)

    def _selector(self, index: int) -> Action:
        # A function and no `partial`: napari asks for its name.
        def select(_: Any) -> None:
            values = self._workspace.classes.values
            if index < len(values):
                self._workspace.select_class(values[index])

        return select

    def _hide_while_held(self, _: Any) -> Generator[None, None, None]:
        """Hide all our layers until the key is released."""
        hidden = [layer for layer in self._workspace.viewer.layers if roles.is_ours(layer) and layer.visible]
        for layer in hidden:
            layer.visible = False
        yield
        for layer in hidden:
            layer.visible = True
