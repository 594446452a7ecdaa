"""What pixels are described by."""

from dataclasses import replace

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLabel, QPushButton, QSizePolicy, QWidget

from patchfield.backbones import Backbone
from patchfield.field import FeatureRecipe, Interpolation, is_coarse
from patchfield.napari._qt.cards import EMBEDDED_NAMES, LABEL_WIDTH, Section, hint, row
from patchfield.napari._qt.choosing import OFFLINE, BackboneDialog
from patchfield.napari.controller import Controller
from patchfield.napari.session.choices import DETAILS, BackboneChoice, Offer, download_of, offered, short_choices

TITLE = "Features"
SEARCH = "All backbones: search…"
OPEN_FILE = "Open checkpoint file…"
CHECKPOINTS = "Checkpoints (*.safetensors *.pth *.pt *.ckpt *.bin);;All files (*)"


class FeaturesSection(Section):
    """Backbones, level of detail, and what these cost; folded, one line says it."""

    def __init__(self, controller: Controller) -> None:
        super().__init__(TITLE, expanded=False)
        self._controller = controller
        self._offer: Offer | None = None
        self._detailed: tuple[tuple[FeatureRecipe, ...], tuple[Backbone, ...]] = ((), ())
        self.backbones = QComboBox()
        self.backbones.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.backbones.setToolTip("The network (or filter bank) that describes each pixel")
        self.backbones.setAccessibleName("Features")
        self.description = hint()
        self.download, self.gain = QPushButton(), hint()
        self.joined = {name: QCheckBox(name) for name in EMBEDDED_NAMES}
        for name, box in self.joined.items():
            box.setToolTip(f"Describe each pixel by {name}, too: coarse tokens get fine detail")
        self.detail = QComboBox()
        self.detail.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.detail.setToolTip("How many views of the image are averaged: more views, finer borders, more time")
        self.guided = QCheckBox("as in the image")
        self.guided.setToolTip(
            "Let coarse tokens follow the borders that the image shows: crisper outlines for a little more time"
        )
        self.guided.setAccessibleName("Borders as in the image")
        self.cost = hint()
        self._lay_out()
        self.backbones.activated.connect(self._choose_backbone)
        self.download.clicked.connect(self._take_offer)
        self.detail.activated.connect(self._choose_detail)
        self.guided.clicked.connect(self._guide)
        for box in self.joined.values():
            box.clicked.connect(lambda _: self._join())
        controller.features.changed.connect(self.show_cost)
        controller.features.chosen.connect(self.show_recipes)
        controller.settings.preferred.connect(lambda _: self._show_offer(self._offer))
        controller.annotations.selected.connect(self.show_cost)
        self._fill()
        self.show_recipes()

    def show_recipes(self) -> None:
        """Show what features are made with now, wherever that was decided."""
        main = self._main()
        index = self._index_of(main.backbone)
        if index < 0:
            self._insert(BackboneChoice.from_name(main.backbone))
            index = self._index_of(main.backbone)
        self.backbones.setCurrentIndex(index)
        self.description.setText(self.backbones.itemData(index).description)
        self._show_offer(offered(main.backbone))
        names = [recipe.backbone for recipe in self._controller.features.recipes]
        for name, box in self.joined.items():
            box.setVisible(name != main.backbone)
            box.setChecked(name in names and name != main.backbone)
        self.show_cost()

    def show_backbones(self) -> None:
        """Make the list anew, because a backbone was trained; what was opened or searched for stays in it."""
        listed = [self.backbones.itemData(index) for index in range(self.backbones.count())]
        self.backbones.clear()
        self._fill()
        for choice in listed:
            if isinstance(choice, BackboneChoice) and self._index_of(choice.backbone) < 0:
                self._insert(choice)
        self.show_recipes()

    def show_cost(self) -> None:
        """Channels, memory and time of a plane's features, the time once it was measured."""
        features, current = self._controller.features, self._controller.current
        cost = None if current is None else features.cost(current.source.shape)
        self._show_details()
        self.cost.setVisible(cost is not None)
        if cost is None:
            self.say(f"{TITLE} · {features.name}")
            return
        memory = f"{cost.nbytes / 1e6:.0f} MB"
        self.say(f"{TITLE} · {features.name}, {cost.channels} channels, {memory}")
        time = [] if cost.seconds is None else [f"≈ {cost.seconds:.0f} s" if cost.seconds >= 1 else "< 1 s"]
        views = f"{cost.views} view{'s' if cost.views > 1 else ''}"
        self.cost.setText(" · ".join([*time, memory, views, f"{cost.channels} channels", cost.device.upper()]))

    def _lay_out(self) -> None:
        self.rows.addWidget(self.backbones)
        self.rows.addWidget(self.description)
        self.rows.addWidget(self.download)
        self.rows.addWidget(self.gain)
        join, detail, borders = QLabel("Join with"), QLabel("Detail"), QLabel("Borders")
        for label in (join, detail, borders):
            label.setFixedWidth(LABEL_WIDTH)
        line = row(join, *self.joined.values())
        line.addStretch()
        self.rows.addLayout(line)
        self.details = QWidget()
        line = row(detail, self.detail, stretch=1)
        self.details.setLayout(line)
        self.rows.addWidget(self.details)
        self.borders = QWidget()
        self.borders.setLayout(row(borders, self.guided, stretch=1))
        self.rows.addWidget(self.borders)
        self.rows.addWidget(self.cost)

    def _show_details(self) -> None:
        """Offer the samplings that change something with these backbones."""
        features = self._controller.features
        if self._detailed == (features.recipes, features.backbones):
            return
        self._detailed = (features.recipes, features.backbones)
        offered_now = features.details(tuple(DETAILS))
        shown = [self.detail.itemData(index) for index in range(self.detail.count())]
        if offered_now != shown:
            self.detail.clear()
            for index, name in enumerate(offered_now):
                self.detail.addItem(name, name)
                self.detail.setItemData(index, DETAILS.get(name, name), Qt.ItemDataRole.ToolTipRole)
        self.detail.setCurrentIndex(self.detail.findData(features.recipes[0].sampling))
        self.details.setVisible(len(offered_now) > 1)
        self.borders.setVisible(any(is_coarse(backbone) for backbone in features.backbones))
        self.guided.setChecked(any(recipe.interpolation == "guided" for recipe in features.recipes))

    def _fill(self) -> None:
        for choice in short_choices():
            self.backbones.addItem(choice.title, choice)
            self.backbones.setItemData(self.backbones.count() - 1, choice.description, Qt.ItemDataRole.ToolTipRole)
        self.backbones.insertSeparator(self.backbones.count())
        self.backbones.addItem(SEARCH, SEARCH)
        self.backbones.addItem(OPEN_FILE, OPEN_FILE)

    def _insert(self, choice: BackboneChoice) -> None:
        """Put another backbone behind those that are listed."""
        place = self.backbones.findData(SEARCH) - 1
        self.backbones.insertItem(place, choice.title, choice)
        self.backbones.setItemData(place, choice.description or choice.backbone, Qt.ItemDataRole.ToolTipRole)

    def _index_of(self, backbone: str) -> int:
        for index in range(self.backbones.count()):
            choice = self.backbones.itemData(index)
            if isinstance(choice, BackboneChoice) and choice.backbone == backbone:
                return index
        return -1

    def _main(self) -> FeatureRecipe:
        """The recipe that others are joined to: the first that is not embedded, else the first."""
        recipes = self._controller.features.recipes
        return next((recipe for recipe in recipes if recipe.backbone not in EMBEDDED_NAMES), recipes[0])

    def _choose_backbone(self, index: int) -> None:
        choice = self.backbones.itemData(index)
        if choice == SEARCH:
            self._search()
        elif choice == OPEN_FILE:
            self._use(self._ask_for_file())
        elif isinstance(choice, BackboneChoice):
            download = download_of(choice.backbone)
            if download is None:
                self._use(choice.backbone)
            else:
                # Nothing is downloaded because an entry was chosen: the button below says what it takes.
                self.description.setText(choice.description)
                self._show_offer(download)

    def _search(self) -> None:
        offline = self._controller.settings.preferences.offline
        dialog = BackboneDialog(self._controller.catalogue, self, offline=offline)
        dialog.exec()
        self._use(dialog.chosen)

    def _use(self, backbone: str) -> None:
        """Describe pixels by another backbone, with what is joined to it."""
        if backbone:
            self._make(backbone)
        self.show_recipes()

    def _join(self) -> None:
        self._make(self._main().backbone)
        self.show_recipes()

    def _make(self, backbone: str) -> None:
        main = self._main()
        first = main if main.backbone == backbone else FeatureRecipe(backbone, main.sampling, self._interpolation)
        checked = [name for name, box in self.joined.items() if box.isChecked() and name != backbone]
        self._controller.make_features([first, *(FeatureRecipe(name, first.sampling) for name in checked)])

    @property
    def _interpolation(self) -> Interpolation:
        return "guided" if self.guided.isChecked() and not self.borders.isHidden() else "bilinear"

    def _take_offer(self) -> None:
        if self._offer is not None:
            self._make(self._offer.backbone)
        self.show_recipes()

    def _show_offer(self, offer: Offer | None) -> None:
        """Offer a download, or nothing."""
        self._offer = offer
        for widget in (self.download, self.gain):
            widget.setVisible(offer is not None)
        if offer is not None:
            self.download.setText(offer.title)
            self.gain.setText(offer.gain)
        offline = self._controller.settings.preferences.offline
        self.download.setEnabled(not offline)
        self.download.setToolTip(OFFLINE if offline else "Download the weights and use them; they stay on this machine")

    def _choose_detail(self, index: int) -> None:
        sampling, recipes = self.detail.itemData(index), self._controller.features.recipes
        self._controller.make_features([replace(recipe, sampling=sampling) for recipe in recipes])

    def _guide(self, guided: bool) -> None:
        features = self._controller.features
        interpolation: Interpolation = "guided" if guided else "bilinear"
        self._controller.make_features(
            [
                replace(recipe, interpolation=interpolation, guide="") if is_coarse(backbone) else recipe
                for recipe, backbone in zip(features.recipes, features.backbones, strict=True)
            ]
        )

    def _ask_for_file(self) -> str:
        path, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", "", CHECKPOINTS)
        return path
