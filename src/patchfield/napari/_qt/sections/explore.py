"""What the features show by themselves."""

from qtpy.QtWidgets import QPushButton, QSpinBox

from patchfield.napari._qt.cards import Section, hint, row, told
from patchfield.napari.explore.explorer import Explorer
from patchfield.napari.layers import Role

HINTS = {
    Role.PCA: "The three main components of the features as red, green and blue: what has one colour looks alike.",
    Role.CLUSTERS: "Pixels grouped without labels (k-means).",
    Role.SIMILARITY: "Click anywhere in the image: bright is what looks like that place.",
    Role.ATTENTION: "Where the transformer looks: all heads (0), or one of them.",
}
NOTHING = "Look at the features without painting."


class LookSection(Section):
    """One button per look; a second press ends it."""

    def __init__(self, explorer: Explorer) -> None:
        super().__init__("Look", expanded=False)
        self._explorer = explorer
        self.buttons = {
            Role.PCA: QPushButton("PCA colours"),
            Role.CLUSTERS: QPushButton("Clusters"),
            Role.SIMILARITY: QPushButton("Similar to a click"),
            Role.ATTENTION: QPushButton("Attention"),
        }
        for role, button in self.buttons.items():
            button.setCheckable(True)
            button.clicked.connect(lambda pressed, role=role: self._press(role, pressed))
        self.clusters, self.head = QSpinBox(), QSpinBox()
        self.clusters.setRange(2, 30)
        self.clusters.setValue(explorer.clusters)
        self.clusters.setToolTip("Number of clusters")
        self.head.setRange(0, 24)
        self.head.setToolTip("Attention head; 0 is the mean of all")
        self.clusters.valueChanged.connect(self._set_clusters)
        self.head.valueChanged.connect(self._set_head)
        self.hint = hint()
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
        explorer.changed.connect(self.show_look)
        self.show_look()

    def show_look(self) -> None:
        """Show which look is on, and whether it is being made."""
        look = self._explorer.look
        for role, button in self.buttons.items():
            button.setChecked(role is look)
        attention = self._explorer.has_attention
        self.buttons[Role.ATTENTION].setEnabled(attention)
        self.buttons[Role.ATTENTION].setToolTip("" if attention else "Only vision transformers have attention maps")
        self.head.setEnabled(attention)
        self.hint.setText("Computing…" if self._explorer.busy else HINTS.get(look, NOTHING))

    @told
    def _begin(self, role: Role) -> None:
        self._explorer.begin(role)

    def _press(self, role: Role, pressed: bool) -> None:
        if pressed:
            self._begin(role)
        else:
            self._explorer.end()
        self.show_look()

    def _set_clusters(self, count: int) -> None:
        self._explorer.clusters = count
        if self._explorer.look is Role.CLUSTERS:
            self._explorer.again()

    def _set_head(self, head: int) -> None:
        self._explorer.head = head
        if self._explorer.look is Role.ATTENTION:
            self._explorer.again()
