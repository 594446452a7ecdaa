"""The images, which of them is painted on, and how it is seen."""

from enum import Enum
from pathlib import Path

from napari.layers import Image
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QMenu, QPushButton, QSizePolicy

from patchfield.images import IMAGE_SUFFIXES, Contrast
from patchfield.napari._qt.cards import LABEL_WIDTH, Section, hint, icon, row, tool
from patchfield.napari._qt.image_list import ImageList
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari._qt.sections.project import confirmed
from patchfield.napari.controller import Controller
from patchfield.napari.layers.stack import LayerStack

FILES = f"Images ({' '.join(f'*{suffix}' for suffix in sorted(IMAGE_SUFFIXES))});;All files (*)"

AS_DISPLAYED = "as displayed"
"""Napari's contrast limits at the moment of the choice; choosing it again takes them anew."""

CONTRASTS: dict[str, Contrast | None] = {
    "automatic": "auto",
    AS_DISPLAYED: None,
    "0.5 to 99.5 %": "percentile",
    "darkest to brightest": "minmax",
    "full range of the type": "none",
}


class Channels(Enum):
    """How many channels are seen; the value is what the list says."""

    ALL = "as it is"
    ONE = "one as grey"
    THREE = "three as colours"
    LAYERS = "three layers as colours"


PICKS = {Channels.ALL: 0, Channels.ONE: 1, Channels.THREE: 3, Channels.LAYERS: 3}
"""How many lists there are to choose channels or layers from."""


class ImagesSection(Section):
    """The list of images; of the current one contrast, and axes and channels where there is a choice."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Images", expanded=True)
        self._workspace, self._images, self._project = controller, controller.images, controller.project
        self._settings = controller.settings
        self.list = ImageList(controller.images, self._close, self._remove)
        self.previous = tool(icon("left_arrow"), "Previous image (PageUp)", lambda: self._step(-1))
        self.next = tool(icon("right_arrow"), "Next image (PageDown)", lambda: self._step(1))
        self.remove = tool(icon("delete"), "Take the image off the list; its file stays as it is", self._remove_current)
        self.open = QPushButton("Open…")
        self.open.setToolTip("Add images to the list: files, or all images of a folder")
        menu = QMenu(self.open)
        menu.addAction("Images…", self.open_files)
        menu.addAction("All images of a folder…", self.open_folder)
        self.open.setMenu(menu)
        self.description = hint()
        self.contrast = _list("Which grey values the features see as black and white; automatic leaves uint8 as it is")
        self.contrast.addItems(CONTRASTS)
        self.axes = _list("What the axes mean; neither the layer nor its file says it")
        self.channels = _list("Which channels the features see")
        self.picks = [_list("The channel or layer that is seen here") for _ in range(3)]
        for number, pick in enumerate(self.picks, start=1):
            pick.setAccessibleName(f"Channel {number}")
        self._lay_out()
        self._connect()
        self.show_images()
        self.show_current()

    def show_images(self) -> None:
        """Show what can be done with the images that there are."""
        several = len(self._images) > 1
        self.previous.setEnabled(several)
        self.next.setEnabled(several)
        self.remove.setEnabled(self._images.current is not None)
        self._show_channels()

    def show_current(self) -> None:
        """Say how the current image was understood."""
        self.show_images()
        current = self._workspace.current
        self.description.setText("" if current is None else current.source.summary())
        self.contrast.setEnabled(current is not None)
        if current is not None:
            self._show_contrast(current.source.settings.contrast)
        self._show_axes(None if current is None else current.source)

    def _lay_out(self) -> None:
        self.rows.addWidget(self.list)
        self.rows.addLayout(row(self.previous, self.next, self.description, self.remove, self.open, stretch=2))
        self.labels = {box: QLabel(title) for title, box in self._titled()}
        for box, label in self.labels.items():
            label.setFixedWidth(LABEL_WIDTH)
            self.rows.addLayout(row(label, box, stretch=1))
        picks = row(*self.picks)
        for index in range(len(self.picks)):
            picks.setStretch(index, 1)
        self.rows.addLayout(picks)

    def _show_contrast(self, contrast: Contrast) -> None:
        """Show the choice; of the displayed limits, which they were when they were taken over."""
        names = list(CONTRASTS)
        limits = contrast if isinstance(contrast, tuple) else None
        displayed = names.index(AS_DISPLAYED)
        said = "" if limits is None else " ({:.5g} to {:.5g})".format(*limits)
        self.contrast.setItemText(displayed, f"{AS_DISPLAYED}{said}")
        self.contrast.setCurrentIndex(list(CONTRASTS.values()).index(contrast) if limits is None else displayed)

    def _titled(self) -> list[tuple[str, QComboBox]]:
        return [("Contrast", self.contrast), ("Axes", self.axes), ("Channels", self.channels)]

    def _connect(self) -> None:
        self.contrast.activated.connect(self._choose_contrast)
        self.axes.activated.connect(self._choose_axes)
        self.channels.activated.connect(self._choose_how_many)
        for pick in self.picks:
            pick.activated.connect(self._choose_channels)
        self._images.listed.connect(self.show_images)
        self._workspace.annotations.selected.connect(self.show_current)

    def _step(self, step: int) -> None:
        notify_refusals(self._images.step)(step)

    def _remove_current(self) -> None:
        current = self._images.current
        if current is not None:
            self._remove(current.key)

    def _remove(self, key: str) -> None:
        """Take an image off the list; what is painted on it goes only if that is meant."""
        entry = next(entry for entry in self._images.entries if entry.key == key)
        question = f"Remove {entry.name} with all that is painted on it? Closing it would keep its strokes."
        if not entry.painted or confirmed(self, question, "Remove"):
            notify_refusals(self._project.remove)(key)

    def _close(self, key: str) -> None:
        notify_refusals(self._images.close_image)(key)

    def open_files(self) -> None:
        """Ask for image files, and add them to the list."""
        paths, _ = QFileDialog.getOpenFileNames(self, "Open images", str(self._folder()), FILES)
        if paths:
            self._settings.remember_folder(Path(paths[0]).parent)
            notify_refusals(self._images.add_files)(paths)

    def open_folder(self) -> None:
        """Ask for a folder, and add its images to the list."""
        folder = QFileDialog.getExistingDirectory(self, "Open all images of a folder", str(self._folder()))
        if folder:
            self._settings.remember_folder(Path(folder))
            notify_refusals(self._images.add_folder)(folder)

    def _folder(self) -> Path:
        """Where the current image lies, else where a file was opened or saved last."""
        current = self._images.current
        last = self._settings.memory.last_folder or Path.home()
        return last if current is None or current.path is None else current.path.parent

    def _choose_contrast(self) -> None:
        current = self._workspace.current
        contrast = list(CONTRASTS.values())[self.contrast.currentIndex()]
        if current is not None:
            low, high = current.source.layer.contrast_limits
            chosen = (float(low), float(high)) if contrast is None else contrast
            notify_refusals(self._workspace.annotations.set_contrast)(chosen)

    def _choose_axes(self) -> None:
        self._workspace.annotations.set_axes(self.axes.currentData())

    def _choose_how_many(self) -> None:
        self._fill_picks(self.channels.currentData())
        self._choose_channels()

    def _choose_channels(self) -> None:
        annotations, choice = self._workspace.annotations, self.channels.currentData()
        chosen = [pick.currentData() for pick in self.picks[: PICKS[choice]]]
        if choice is Channels.LAYERS:
            notify_refusals(annotations.join)(chosen)
        else:
            annotations.set_channels(tuple(chosen) or None)

    def _show_axes(self, source: LayerStack | None) -> None:
        """Offer what the axes may mean, where nobody says it."""
        choices = () if source is None else source.axes_choices
        self._set_visible(self.axes, bool(choices))
        self.axes.clear()
        self.axes.addItem("planes", None)
        for axes in choices:
            self.axes.addItem("channels first" if axes.startswith("C") else "channels last", axes)
        self.axes.setCurrentIndex(max(0, self.axes.findData(None if source is None else source.settings.axes)))

    def _show_channels(self) -> None:
        """Offer the image's channels, or other grey layers in their place."""
        current = self._workspace.current
        choices: list[Channels] = []
        if current is not None and len(current.source.channel_names) > 1:
            whole = [Channels.ALL] if current.source.is_usable_whole else []
            choices = [*whole, Channels.ONE, Channels.THREE]
        elif self._workspace.annotations.joinable:
            choices = [Channels.ALL, Channels.LAYERS]
        self._set_visible(self.channels, bool(choices))
        self.channels.clear()
        for choice in choices:
            self.channels.addItem(choice.value, choice)
        chosen = Channels.ALL if current is None else _choice(current.source)
        self.channels.setCurrentIndex(max(0, self.channels.findData(chosen)))
        self._fill_picks(chosen if chosen in choices else Channels.ALL)

    def _fill_picks(self, choice: Channels) -> None:
        """Show as many lists as there are channels to choose, with what is chosen."""
        current = self._workspace.current
        count = 0 if current is None else PICKS[choice]
        for index, pick in enumerate(self.picks):
            pick.setVisible(index < count)
            before = pick.currentData()
            pick.clear()
            if current is None or not count:
                continue
            offered, chosen = self._offered(current.source, choice)
            for title, data in offered:
                pick.addItem(title, data)
            wanted = chosen[index] if index < len(chosen) else before
            found = next((i for i in range(pick.count()) if pick.itemData(i) == wanted), -1)
            pick.setCurrentIndex(found if found >= 0 else min(index, pick.count() - 1))

    def _offered(self, source: LayerStack, choice: Channels) -> tuple[list[tuple[str, int | Image]], list[int | Image]]:
        """Titles and values of what can be picked, and what is picked now."""
        if choice is Channels.LAYERS:
            layers = self._workspace.annotations.joinable
            return [(layer.name, layer) for layer in layers], [part.layer for part in source.joined]
        chosen = [] if source.joined else list(source.settings.channels or ())
        return [(name, number) for number, name in enumerate(source.channel_names)], list(chosen)

    def _set_visible(self, box: QComboBox, visible: bool) -> None:
        box.setVisible(visible)
        self.labels[box].setVisible(visible)


def _list(tip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(tip)
    # Long names must not widen the dock.
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box


def _choice(source: LayerStack) -> Channels:
    if source.joined:
        return Channels.LAYERS
    return {0: Channels.ALL, 1: Channels.ONE, 3: Channels.THREE}[len(source.settings.channels or ())]
