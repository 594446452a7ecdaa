"""Which image is painted on, and how it is looked at."""

from napari.layers import Image
from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy

from patchfield.images import Contrast
from patchfield.napari._qt.cards import LABEL_WIDTH, Section, hint, row, told
from patchfield.napari.controller import Controller
from patchfield.napari.layers.stack import Channel

CONTRASTS: dict[str, Contrast | None] = {
    "automatic": "auto",
    "as displayed": None,
    "0.5 to 99.5 %": "percentile",
    "darkest to brightest": "minmax",
    "full range of the type": "none",
}
AS_IT_IS, ONE, THREE = "as it is", "one as grey", "three as colours"


class ImageSection(Section):
    """Layer, contrast, and channels where there is a choice."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Image", expanded=True)
        self._controller = controller
        self._offered: list[Channel] = []
        self.images = QComboBox()
        self.images.setToolTip("The image layer to paint on")
        # Long layer names must not widen the dock.
        self.images.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.description = hint()
        self.contrast = QComboBox()
        self.contrast.addItems(CONTRASTS)
        self.contrast.setToolTip(
            "Which grey values the features see as black and white; automatic leaves uint8 as it is"
        )
        self.channels_label = QLabel("Channels")
        self.channels = QComboBox()
        self.channels.addItems([AS_IT_IS, ONE, THREE])
        self.picks = [QComboBox() for _ in range(3)]
        for pick in self.picks:
            pick.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._lay_out()
        self._connect()
        self.show_images()
        self.show_current()

    def show_images(self) -> None:
        """Fill the list with the images that are open."""
        self.images.blockSignals(True)
        self.images.clear()
        for layer in self._controller.annotations.choices:
            self.images.addItem(layer.name, layer)
        current = self._controller.current
        self.images.setCurrentIndex(-1 if current is None else self._place_of(current.source.layer))
        self.images.setPlaceholderText("choose an image" if self.images.count() else "no image is open")
        self.images.setEnabled(self.images.count() > 0)
        self.images.blockSignals(False)

    def show_current(self) -> None:
        """Say how the current image was understood."""
        self.show_images()
        current = self._controller.current
        self.description.setText("" if current is None else current.source.describe())
        self.contrast.setEnabled(current is not None)
        if current is not None:
            self.contrast.setCurrentText(_contrast_name(current.source.contrast))
        self._offered = self._controller.annotations.channel_choices()
        self._fill_picks()
        self._show_picks()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.images)
        self.rows.addWidget(self.description)
        label = QLabel("Contrast")
        label.setFixedWidth(LABEL_WIDTH)
        self.channels_label.setFixedWidth(LABEL_WIDTH)
        self.rows.addLayout(row(label, self.contrast, stretch=1))
        self.rows.addLayout(row(self.channels_label, self.channels, stretch=1))
        picks = row(*self.picks)
        for place in range(3):
            picks.setStretch(place, 1)
        self.rows.addLayout(picks)

    def _connect(self) -> None:
        self.images.currentIndexChanged.connect(self._choose_image)
        self.contrast.activated.connect(self._choose_contrast)
        self.channels.activated.connect(self._choose_channels)
        for pick in self.picks:
            pick.activated.connect(self._choose_channels)
        self._controller.annotations.images_changed.connect(self.show_images)
        self._controller.annotations.selected.connect(self.show_current)

    def _place_of(self, layer: Image) -> int:
        return next((i for i in range(self.images.count()) if self.images.itemData(i) is layer), -1)

    def _choose_image(self, place: int) -> None:
        if place >= 0:
            self._controller.select(self.images.itemData(place))

    @told
    def _choose_contrast(self, _: int = 0) -> None:
        current = self._controller.current
        contrast = CONTRASTS[self.contrast.currentText()]
        if current is not None:
            low, high = current.source.layer.contrast_limits
            self._controller.annotations.view(contrast=(float(low), float(high)) if contrast is None else contrast)

    def _choose_channels(self, _: int = 0) -> None:
        count = {AS_IT_IS: 0, ONE: 1, THREE: 3}[self.channels.currentText()]
        chosen = tuple(self._offered[pick.currentIndex()] for pick in self.picks[:count])
        self._show_picks()
        self._controller.annotations.view(channels=chosen)

    def _fill_picks(self) -> None:
        current = self._controller.current
        chosen = () if current is None else current.source.channels
        self.channels.setCurrentText({0: AS_IT_IS, 1: ONE, 3: THREE}[len(chosen)])
        for place, pick in enumerate(self.picks):
            pick.clear()
            pick.addItems([channel.name for channel in self._offered])
            wanted = chosen[place] if place < len(chosen) else None
            default = min(place, len(self._offered) - 1)
            pick.setCurrentIndex(self._offered.index(wanted) if wanted in self._offered else default)

    def _show_picks(self) -> None:
        several = len(self._offered) > 1
        self.channels_label.setVisible(several)
        self.channels.setVisible(several)
        count = {AS_IT_IS: 0, ONE: 1, THREE: 3}[self.channels.currentText()] if several else 0
        for place, pick in enumerate(self.picks):
            pick.setVisible(place < count)


def _contrast_name(contrast: Contrast) -> str:
    return next((name for name, named in CONTRASTS.items() if named == contrast), "as displayed")
