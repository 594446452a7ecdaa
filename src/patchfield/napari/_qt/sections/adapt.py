"""Adapting a backbone to the user's own images."""

import re
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from patchfield.napari._qt.cards import GAP, LABEL_WIDTH, Card, Section, hint, row
from patchfield.napari.adapt.adapting import Adapting, Phase
from patchfield.napari.adapt.order import Order, default_size, expectation, first_start, free_name, start_choices
from patchfield.napari.adapt.run import runs_folder
from patchfield.napari.controller import Controller
from patchfield.napari.layers.stack import LayerStack

TITLE = "Adapt model"
COLORS = {
    Phase.STARTING: "#f2b134",
    Phase.TRAINING: "#f2b134",
    Phase.STOPPING: "#f2b134",
    Phase.STOPPED: "#ff8a3d",
    Phase.FAILED: "#e5544b",
    Phase.FINISHED: "#3ecf8e",
}
INTRO = "Trains a vision transformer on your images, without labels, while you go on painting."


class Images(Enum):
    """What can be trained on."""

    CURRENT = auto()
    OPEN = auto()
    FOLDER = auto()
    CHOOSE = auto()


class AdaptSection(Section):
    """What to train on and from, and a card that says how far it is."""

    def __init__(self, controller: Controller, adapting: Adapting) -> None:
        super().__init__(TITLE, expanded=False)
        self._controller, self._adapting = controller, adapting
        self._folder: Path | None = None
        self._root = runs_folder()
        self._named_by_hand = False
        self.card = Card(self._press)
        self._make_form()
        self._lay_out()
        self._connect()
        self.show_images()
        self.show_starts()
        self.show_root()
        self.show_status()

    def show_images(self) -> None:
        """Offer the images that are open, and the folder that was chosen."""
        count = len(self._controller.annotations.choices)
        chosen = self.images.currentData()
        self.images.clear()
        if count:
            self.images.addItem("the current image", Images.CURRENT)
        if count > 1:
            self.images.addItem(f"all {count} open images", Images.OPEN)
        if self._folder is not None:
            self.images.addItem(f"folder {self._folder.name}", Images.FOLDER)
        self.images.addItem("Choose a folder…", Images.CHOOSE)
        self._choose(Images.CURRENT if chosen is Images.CHOOSE else chosen)
        self.images.setToolTip("What is trained on" if self._folder is None else str(self._folder))
        self.show_name()

    def show_starts(self) -> None:
        """Offer the transformers, the one that describes the pixels now chosen already."""
        start, why = first_start(self._controller.features.recipes[0].backbone, self.start.currentData())
        self.start.clear()
        for choice in start_choices():
            self.start.addItem(choice.title, choice.backbone)
        if self.start.findData(start) < 0:
            self.start.insertItem(0, Path(start).name, start)
        self.start.setCurrentIndex(self.start.findData(start))
        self.why.setText(why)
        self.why.setVisible(bool(why))

    def show_name(self) -> None:
        """Suggest a name after the images, unless the user gave one."""
        if self._named_by_hand and self.name.text().strip():
            return
        current = self._controller.current
        of_layer = "" if current is None else Path(current.source.title).stem
        of_folder = "" if self._folder is None else self._folder.name
        self.name.setText(free_name(of_folder if self.images.currentData() is Images.FOLDER else of_layer, self._root))

    def show_root(self) -> None:
        """Say where runs are kept, and offer to go on with one that was interrupted there."""
        self.root.setText(f"{self._root.parent.name}/{self._root.name}")
        self.root.setToolTip(f"Checkpoints and logs are kept in {self._root}; press to choose another folder")
        self._adapting.find_unfinished(self._root)

    def show_status(self) -> None:
        """Show the form or the progress, and what can be done."""
        status = self._adapting.status
        idle = status.phase is Phase.IDLE
        self.card.setVisible(not idle)
        self.form.setVisible(not status.is_busy)
        self.say(TITLE if idle else f"{TITLE} · {_in_short(self._adapting)}")
        if idle:
            return
        self.card.show_dot(COLORS[status.phase])
        self.card.sentence.setText(_breakable(status.sentence))
        self.card.sentence.setToolTip(status.sentence if status.phase is Phase.FAILED else "")
        self.card.show_progress(status.progress)
        action = self._action()
        self.card.button.setVisible(action is not None)
        self.card.button.setText(action or "")
        self.card.button.setEnabled(status.phase is not Phase.STOPPING)

    def _action(self) -> str | None:
        """What the card's button does."""
        if self._adapting.status.is_busy:
            return "Stop"
        if self._adapting.status.phase is Phase.FINISHED:
            return None if self._adapting.in_use else "Use it"
        return "Resume" if self._adapting.can_resume else None

    def _press(self) -> None:
        verbs = {"Stop": self._adapting.stop, "Use it": self._adapting.use, "Resume": self._adapting.resume}
        action = self._action()
        if action is not None:
            verbs[action]()

    def _begin(self) -> None:
        order = Order(
            self.chosen_images(),
            self.start.currentData(),
            self.name.text(),
            self.steps.value(),
            self.batch.value(),
            self._root,
        )
        self._adapting.start(order)

    def chosen_images(self) -> Path | Sequence[LayerStack]:
        annotations, chosen = self._controller.annotations, self.images.currentData()
        if chosen is Images.FOLDER and self._folder is not None:
            return self._folder
        if chosen is Images.OPEN:
            return [annotations.source_of(layer) for layer in annotations.choices]
        return [] if annotations.current is None or chosen is not Images.CURRENT else [annotations.current.source]

    def _make_form(self) -> None:
        self.images, self.start = QComboBox(), QComboBox()
        for box in (self.images, self.start):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.start.setToolTip("The vision transformer to begin from; it stays as it is")
        self.why = hint()
        self.name = QLineEdit()
        self.name.setToolTip("Under which the adapted backbone is listed")
        self.steps, self.batch = QSpinBox(), QSpinBox()
        self.steps.setRange(1, 1_000_000)
        self.batch.setRange(1, 4096)
        steps, batch = default_size()
        self.steps.setValue(steps)
        self.batch.setValue(batch)
        self.steps.setToolTip("Steps of training")
        self.batch.setToolTip("Images seen in each step: fewer need less memory")
        self.root = QPushButton()
        self.root.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.begin = QPushButton("Adapt")
        self.begin.setToolTip("Begin; it can be stopped and resumed at any time")

    def _lay_out(self) -> None:
        self.form = QWidget()
        lines = QVBoxLayout(self.form)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(GAP)
        lines.addWidget(hint(f"{INTRO} {expectation()}"))
        lines.addLayout(_line("Images", self.images))
        lines.addLayout(_line("From", self.start))
        lines.addWidget(self.why)
        lines.addLayout(_line("Name", self.name))
        lines.addLayout(_line("Steps", self.steps))
        lines.addLayout(_line("Batch", self.batch))
        lines.addLayout(_line("Kept in", self.root))
        lines.addWidget(self.begin)
        self.rows.addWidget(self.card)
        self.rows.addWidget(self.form)

    def _connect(self) -> None:
        controller, adapting = self._controller, self._adapting
        self.toggled.connect(lambda _: adapting.find_unfinished(self._root))
        self.images.activated.connect(self._choose_images)
        self.name.textEdited.connect(self._name_by_hand)
        self.root.clicked.connect(self._choose_root)
        self.begin.clicked.connect(self._begin)
        controller.annotations.images_changed.connect(self.show_images)
        controller.annotations.selected.connect(self.show_images)
        controller.features.chosen.connect(self.show_starts)
        controller.features.chosen.connect(self.show_status)
        adapting.changed.connect(self.show_status)
        adapting.finished.connect(self._on_finished)

    def _on_finished(self) -> None:
        self._named_by_hand = False
        self.show_name()
        self.show_starts()

    def _name_by_hand(self) -> None:
        self._named_by_hand = True

    def _choose_images(self) -> None:
        if self.images.currentData() is not Images.CHOOSE:
            self.show_name()
            return
        chosen = QFileDialog.getExistingDirectory(self, "A folder of images")
        if chosen:
            self._folder = Path(chosen)
        self.show_images()
        if chosen:
            self._choose(Images.FOLDER)
            self.show_name()

    def _choose(self, images: Images | None) -> None:
        """Select an entry, or the first one where it is not offered."""
        matches = [index for index in range(self.images.count()) if self.images.itemData(index) is images]
        self.images.setCurrentIndex(matches[0] if matches else 0)

    def _choose_root(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Where checkpoints and logs are kept", str(self._root))
        if chosen:
            self._root = Path(chosen)
            self.show_root()


def _line(title: str, first: QWidget, *others: QWidget) -> QHBoxLayout:
    label = QLabel(title)
    label.setFixedWidth(LABEL_WIDTH)
    return row(label, first, *others, stretch=1)


def _breakable(sentence: str) -> str:
    """Paths may be broken at their slashes: they are often longer than the panel is wide."""
    return re.sub(r"([/\\_])", "\\1\N{ZERO WIDTH SPACE}", sentence)


def _in_short(adapting: Adapting) -> str:
    """For the heading, which is seen when the section is folded."""
    status = adapting.status
    if status.phase is Phase.TRAINING and status.progress is not None:
        return f"{status.progress.done} of {status.progress.total}"
    return "ready" if status.phase is Phase.FINISHED else str(status.phase)
