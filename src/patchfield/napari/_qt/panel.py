"""The panel: one dock widget for the whole job."""

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from patchfield.napari._qt.cards import GAP, Section, StatusCard
from patchfield.napari._qt.gui_thread import gui_thread
from patchfield.napari._qt.sections.adapt import AdaptSection
from patchfield.napari._qt.sections.classes import ClassesSection
from patchfield.napari._qt.sections.explore import LookSection
from patchfield.napari._qt.sections.features import FeaturesSection
from patchfield.napari._qt.sections.files import Menus
from patchfield.napari._qt.sections.image import ImageSection
from patchfield.napari._qt.sections.segment import SegmentSection
from patchfield.napari.adapt.adapting import Adapting
from patchfield.napari.controller import Controller
from patchfield.napari.explore.explorer import Explorer
from patchfield.napari.files import Files
from patchfield.napari.jobs import ThreadRunner
from patchfield.napari.layers.keys import DESCRIPTIONS, Keys
from patchfield.napari.segment.apply import Applying
from patchfield.napari.segment.unsure import UnsureTour
from patchfield.napari.session.signals import silence

LEAST_HEIGHT = 200


class PatchfieldPanel(QWidget):
    """Segment by painting.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        # napari hands plugins a proxy, which hides that a layer is the same layer.
        viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.controller = Controller(viewer, ThreadRunner(gui_thread().post))
        self.files = Files(self.controller)
        self.applying = Applying(self.controller)
        self.tour = UnsureTour(self.controller)
        self.explorer = Explorer(self.controller)
        self.adapting = Adapting(self.controller)
        self.keys = Keys(self.controller, self.tour)
        self.classes = ClassesSection(self.controller)
        self._closed = False
        self._lay_out()
        # When the window goes, Qt destroys the panel without asking; the controller outlives it.
        self.destroyed.connect(self.close_jobs)

    def close_jobs(self) -> None:
        """Stop all jobs and let go of the viewer; layers stay as they are."""
        if self._closed:
            return
        self._closed = True
        silence(self.applying, self.explorer, self.adapting, self.files)
        self.keys.close()
        self.tour.close()
        self.explorer.close()
        self.applying.cancel()
        self.adapting.close()
        self.controller.close()

    def event(self, event: QEvent) -> bool:
        # napari takes a closed panel out of its dock and forgets it: no close event is sent.
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.close_jobs()
        return super().event(event)

    def _lay_out(self) -> None:
        self.status = StatusCard(self.controller)
        self.menus = Menus(self.controller, self.files, self.applying)
        self.image = ImageSection(self.controller)
        self.features = FeaturesSection(self.controller)
        self.segment = SegmentSection(self.controller, self.tour)
        sections = QVBoxLayout()
        sections.setContentsMargins(0, 0, 4, 0)
        sections.setSpacing(2)
        self.look = LookSection(self.explorer)
        self.adapt = AdaptSection(self.controller, self.adapting)
        self.adapting.finished.connect(self.features.show_backbones)
        for section in (self.image, self.features, self.classes, self.segment, self.look, self.adapt, _keys_section()):
            sections.addWidget(section)
        sections.addStretch()
        content = QWidget()
        content.setLayout(sections)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(GAP)
        layout.addWidget(self.status)
        layout.addWidget(_Column(content), 1)
        layout.addWidget(self.menus)


class _Column(QScrollArea):
    """Scrolls up and down only, and asks for the width that this takes."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self.widget().minimumSizeHint().width() + bar + 2 * GAP, LEAST_HEIGHT)


def _keys_section() -> Section:
    section = Section("Keys", expanded=False)
    grid = QGridLayout()
    grid.setColumnStretch(1, 1)
    for line, (key, action) in enumerate(DESCRIPTIONS):
        grid.addWidget(QLabel(f"<b>{key}</b>"), line, 0)
        grid.addWidget(QLabel(action), line, 1)
    section.rows.addLayout(grid)
    return section
