"""What pixels are described by."""

from dataclasses import replace

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton, QSizePolicy

from patchfield.napari._qt.cards import LABEL_WIDTH, Section, hint, row
from patchfield.napari.controller import Controller
from patchfield.napari.segment.choices import DETAILS, BackboneChoice, backbone_choices, offered
from patchfield.napari.segment.features import FeatureSpec

OPEN_FILE = "Open checkpoint file…"
CHECKPOINTS = "Checkpoints (*.safetensors *.pth *.pt *.ckpt *.bin);;All files (*)"


class FeaturesSection(Section):
    """Backbone, level of detail, and what these will cost."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Features", expanded=True)
        self._controller = controller
        self.backbones = QComboBox()
        self.backbones.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.backbones.setToolTip("The network (or filter bank) that describes each pixel")
        self.description = hint()
        self.download, self.gain = QPushButton(), hint()
        self.detail = QComboBox()
        for place, (name, what) in enumerate(DETAILS.items()):
            self.detail.addItem(name, name)
            self.detail.setItemData(place, what, Qt.ItemDataRole.ToolTipRole)
        self.detail.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.detail.setToolTip("How many looks at the image are averaged: more looks, finer borders, more time")
        self.cost = hint()
        self._lay_out()
        self.backbones.activated.connect(self._choose_backbone)
        self.download.clicked.connect(self._take_offer)
        self.detail.activated.connect(self._choose_detail)
        controller.features.changed.connect(self.show_cost)
        controller.features.chosen.connect(self.show_spec)
        controller.annotations.selected.connect(self.show_cost)
        self._fill()
        self.show_spec()

    def show_spec(self) -> None:
        """Show what features are made with now, wherever that was decided."""
        spec = self._controller.features.spec
        place = self._place_of(spec.backbone)
        if place < 0:
            choice = BackboneChoice.of_file(spec.backbone)
            self.backbones.insertItem(self.backbones.count() - 1, choice.title, choice)
            place = self._place_of(spec.backbone)
        self.backbones.setCurrentIndex(place)
        self.description.setText(self.backbones.itemData(place).description)
        offer = offered(spec.backbone)
        for widget in (self.download, self.gain):
            widget.setVisible(offer is not None)
        if offer is not None:
            self.download.setText(offer.title)
            self.gain.setText(offer.gain)
        detail = self.detail.findData(spec.sampling)
        if detail < 0:
            self.detail.addItem(spec.sampling, spec.sampling)
            detail = self.detail.count() - 1
        self.detail.setCurrentIndex(detail)
        self.show_cost()

    def show_backbones(self) -> None:
        """Make the list anew, because a backbone was trained; opened files stay in it."""
        listed = [self.backbones.itemData(place) for place in range(self.backbones.count() - 1)]
        self.backbones.clear()
        self._fill()
        for choice in listed:
            if self._place_of(choice.backbone) < 0:
                self.backbones.insertItem(self.backbones.count() - 1, choice.title, choice)
        self.show_spec()

    def show_cost(self) -> None:
        """Memory and time of a plane's features, the time once it was measured."""
        current = self._controller.current
        cost = None if current is None else self._controller.features.estimate(current.source.shape)
        self.cost.setVisible(cost is not None)
        if cost is None:
            return
        expected, seconds = cost
        time = [] if seconds is None else [f"≈ {seconds:.0f} s" if seconds >= 1 else "< 1 s"]
        views = f"{expected.views} view{'s' if expected.views > 1 else ''}"
        device = str(self._controller.features.backbone.device).upper()
        self.cost.setText(" · ".join([*time, f"{expected.nbytes / 1e6:.0f} MB", views, device]))

    def _lay_out(self) -> None:
        self.rows.addWidget(self.backbones)
        self.rows.addWidget(self.description)
        self.rows.addWidget(self.download)
        self.rows.addWidget(self.gain)
        label = QLabel("Detail")
        label.setFixedWidth(LABEL_WIDTH)
        self.rows.addLayout(row(label, self.detail, stretch=1))
        self.rows.addWidget(self.cost)

    def _fill(self) -> None:
        for choice in backbone_choices():
            self.backbones.addItem(choice.title, choice)
        self.backbones.addItem(OPEN_FILE, None)

    def _place_of(self, backbone: str) -> int:
        for place in range(self.backbones.count()):
            choice = self.backbones.itemData(place)
            if choice is not None and choice.backbone == backbone:
                return place
        return -1

    def _choose_backbone(self, place: int) -> None:
        choice = self.backbones.itemData(place)
        backbone = self._ask_for_file() if choice is None else choice.backbone
        if backbone:
            self._controller.make_features(FeatureSpec(backbone, self._controller.features.spec.sampling))
        self.show_spec()

    def _take_offer(self) -> None:
        offer = offered(self._controller.features.spec.backbone)
        if offer is not None:
            self._controller.make_features(FeatureSpec(offer.backbone, self._controller.features.spec.sampling))
        self.show_spec()

    def _choose_detail(self, place: int) -> None:
        sampling = self.detail.itemData(place)
        self._controller.make_features(replace(self._controller.features.spec, sampling=sampling))

    def _ask_for_file(self) -> str:
        path, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", "", CHECKPOINTS)
        return path
