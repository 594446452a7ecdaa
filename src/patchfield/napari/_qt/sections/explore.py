"""What the features show by themselves."""

from qtpy.QtWidgets import QPushButton, QSpinBox

from patchfield.napari._qt.cards import Section, hint, row
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.explore.explorer import Explorer
from patchfield.napari.layers import Role

HINTS = {
    Role.PCA: "The three main components of the features as red, green and blue: what has one colour looks alike.",
    Role.CLUSTERS: "Pixels grouped without labels (k-means).",
    Role.SIMILARITY: "Click anywhere in the image: bright is what looks like that pixel.",
    Role.ATTENTION: "Where the transformer looks: all heads (0), or one of them.",
}
NOTHING = "See what the features tell apart, without painting."


class ExploreSection(Section):
    """One button per exploration; a second press ends it."""

    def __init__(self, explorer: Explorer) -> None:
        super().__init__("Explore", expanded=False)
        self._explorer = explorer
        self.buttons = {
            Role.PCA: QPushButton("PCA colours"),
            Role.CLUSTERS: QPushButton("Clusters"),
            Role.SIMILARITY: QPushButton("Similar to a click"),
            Role.ATTENTION: QPushButton("Attention"),
        }
        for role, button in self.buttons.items():
            button.setCheckable(True)
            button.setToolTip(HINTS[role])
            # A lambda, for PySide6 gives no arguments to a partial.
            button.clicked.connect(lambda pressed, role=role: self._press(role, pressed))
        self.clusters, self.head = QSpinBox(), QSpinBox()
        self.clusters.setRange(2, 30)
        self.clusters.setValue(explorer.clusters)
        self.clusters.setToolTip("Number of clusters")
        self.head.setRange(0, 24)
        self.head.setToolTip("Attention head; 0 is the mean of all")
        self.clusters.setAccessibleName("Number of clusters")
        self.head.setAccessibleName("Attention head")
        self.clusters.valueChanged.connect(explorer.set_clusters)
        self.head.valueChanged.connect(explorer.set_head)
        self.hint = hint()
        self._lay_out()
        explorer.changed.connect(self.show_exploration)
        self.show_exploration()

    def show_exploration(self) -> None:
        """Show which exploration is on, and whether it is being computed."""
        shown = self._explorer.shown
        for role, button in self.buttons.items():
            button.setChecked(role is shown)
        attention = self._explorer.has_attention
        self.buttons[Role.ATTENTION].setEnabled(attention)
        tip = HINTS[Role.ATTENTION] if attention else "Only vision transformers have attention maps"
        self.buttons[Role.ATTENTION].setToolTip(tip)
        self.head.setEnabled(attention)
        self.hint.setText("Computing…" if self._explorer.busy else NOTHING if shown is None else HINTS[shown])

    def _lay_out(self) -> None:
        lines = (
            (self.buttons[Role.PCA], self.buttons[Role.SIMILARITY]),
            (self.buttons[Role.CLUSTERS], self.clusters),
            (self.buttons[Role.ATTENTION], self.head),
        )
        for left, right in lines:
            line = row(left, right)
            line.setStretch(0, 1)
            line.setStretch(1, 1)
            self.rows.addLayout(line)
        self.rows.addWidget(self.hint)

    def _press(self, role: Role, pressed: bool) -> None:
        if pressed:
            notify_refusals(self._explorer.begin)(role)
        else:
            self._explorer.end()
        self.show_exploration()
