"""What pixels are described by."""

from dataclasses import replace

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton, QSizePolicy

from patchfield.field import FeatureRecipe
from patchfield.napari._qt.cards import LABEL_WIDTH, Section, hint, row
from patchfield.napari.session.choices import DETAILS, BackboneChoice, Offer, backbone_choices, download_of, offered
from patchfield.napari.workspace import Workspace

OPEN_FILE = "Open checkpoint file…"
CHECKPOINTS = "Checkpoints (*.safetensors *.pth *.pt *.ckpt *.bin);;All files (*)"


class FeaturesSection(Section):
    """Backbone, level of detail, and what these will cost."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("Features", expanded=False)
        self._workspace = workspace
        self._offer: Offer | None = None
        self.backbones = QComboBox()
        self.backbones.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.backbones.setToolTip("The network (or filter bank) that describes each pixel")
        self.backbones.setAccessibleName("Features")
        self.description = hint()
        self.download, self.gain = QPushButton(), hint()
        self.download.setToolTip("Download the weights and use them; they stay on this machine")
        self.detail = QComboBox()
        for index, (name, what) in enumerate(DETAILS.items()):
            self.detail.addItem(name, name)
            self.detail.setItemData(index, what, Qt.ItemDataRole.ToolTipRole)
        self.detail.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.detail.setToolTip("How many views of the image are averaged: more views, finer borders, more time")
        self.cost = hint()
        self._lay_out()
        self.backbones.activated.connect(self._choose_backbone)
        self.download.clicked.connect(self._take_offer)
        self.detail.activated.connect(self._choose_detail)
        workspace.features.changed.connect(self.show_cost)
        workspace.features.chosen.connect(self.show_recipe)
        workspace.annotations.selected.connect(self.show_cost)
        self._fill()
        self.show_recipe()

    def show_recipe(self) -> None:
        """Show what features are made with now, wherever that was decided."""
        recipe = self._workspace.features.recipes[0]
        index = self._index_of(recipe.backbone)
        if index < 0:
            choice = BackboneChoice.from_file(recipe.backbone)
            self.backbones.insertItem(self.backbones.count() - 1, choice.title, choice)
            index = self._index_of(recipe.backbone)
        self.backbones.setCurrentIndex(index)
        self.description.setText(self.backbones.itemData(index).description)
        self._show_offer(offered(recipe.backbone))
        detail = self.detail.findData(recipe.sampling)
        if detail < 0:
            self.detail.addItem(recipe.sampling, recipe.sampling)
            detail = self.detail.count() - 1
        self.detail.setCurrentIndex(detail)
        self.show_cost()

    def show_backbones(self) -> None:
        """Make the list anew, because a backbone was trained; opened files stay in it."""
        listed = [self.backbones.itemData(index) for index in range(self.backbones.count() - 1)]
        self.backbones.clear()
        self._fill()
        for choice in listed:
            if self._index_of(choice.backbone) < 0:
                self.backbones.insertItem(self.backbones.count() - 1, choice.title, choice)
        self.show_recipe()

    def show_cost(self) -> None:
        """Memory and time of a plane's features, the time once it was measured."""
        current = self._workspace.current
        cost = None if current is None else self._workspace.features.cost(current.source.shape)
        self.cost.setVisible(cost is not None)
        if cost is None:
            return
        time = [] if cost.seconds is None else [f"≈ {cost.seconds:.0f} s" if cost.seconds >= 1 else "< 1 s"]
        views = f"{cost.views} view{'s' if cost.views > 1 else ''}"
        self.cost.setText(" · ".join([*time, f"{cost.nbytes / 1e6:.0f} MB", views, cost.device.upper()]))

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

    def _index_of(self, backbone: str) -> int:
        for index in range(self.backbones.count()):
            choice = self.backbones.itemData(index)
            if choice is not None and choice.backbone == backbone:
                return index
        return -1

    def _choose_backbone(self, index: int) -> None:
        choice = self.backbones.itemData(index)
        backbone = self._ask_for_file() if choice is None else choice.backbone
        download = download_of(backbone)
        if download is not None:
            # Nothing is downloaded because an entry was chosen: the button below says what it takes.
            self.description.setText(choice.description)
            self._show_offer(download)
            return
        if backbone:
            self._workspace.make_features(FeatureRecipe(backbone, self._workspace.features.recipes[0].sampling))
        self.show_recipe()

    def _take_offer(self) -> None:
        if self._offer is not None:
            self._workspace.make_features(
                FeatureRecipe(self._offer.backbone, self._workspace.features.recipes[0].sampling)
            )
        self.show_recipe()

    def _show_offer(self, offer: Offer | None) -> None:
        """Offer a download, or nothing."""
        self._offer = offer
        for widget in (self.download, self.gain):
            widget.setVisible(offer is not None)
        if offer is not None:
            self.download.setText(offer.title)
            self.gain.setText(offer.gain)

    def _choose_detail(self, index: int) -> None:
        sampling = self.detail.itemData(index)
        self._workspace.make_features(
            [replace(recipe, sampling=sampling) for recipe in self._workspace.features.recipes]
        )

    def _ask_for_file(self) -> str:
        path, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", "", CHECKPOINTS)
        return path
