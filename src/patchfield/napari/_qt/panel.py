"""The panel: one dock widget for the whole job."""

from collections.abc import Callable
from functools import partial

from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from patchfield.napari._qt.activity import Activity
from patchfield.napari._qt.cards import GAP, Section, StatusCard, wrapping
from patchfield.napari._qt.controls import Manners
from patchfield.napari._qt.dropping import Dropping
from patchfield.napari._qt.folding import remember_folding
from patchfield.napari._qt.gui_thread import gui_thread
from patchfield.napari._qt.notices import notify
from patchfield.napari._qt.sections.adapt import AdaptSection
from patchfield.napari._qt.sections.check import CheckSection
from patchfield.napari._qt.sections.classes import ClassesSection
from patchfield.napari._qt.sections.features import FeaturesSection
from patchfield.napari._qt.sections.files import FilesBar
from patchfield.napari._qt.sections.images import ImagesSection
from patchfield.napari._qt.sections.objects import ObjectsSection
from patchfield.napari._qt.sections.project import OfferCard, ProjectLine, ProjectMenu
from patchfield.napari._qt.sections.segment import SegmentSection
from patchfield.napari._qt.sections.view import ViewSection
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import ThreadRunner
from patchfield.napari.layers.keys import DESCRIPTIONS
from patchfield.napari.preferences import Page
from patchfield.napari.session.settings import Settings, settings_file

MIN_HEIGHT = 200


class PatchfieldPanel(QWidget):
    """Segment by painting.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer

    Attributes
    ----------
    controller : Controller
        Everything that the panel shows and does.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        # napari hands plugins a proxy, which hides that a layer is the same layer.
        viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        settings = Settings(settings_file(), notify)
        page = Page(settings)
        self.controller = Controller(viewer, ThreadRunner(gui_thread().post), settings=settings)
        self._lay_out()
        remember_folding(self, settings)
        to_image = partial(_focus_canvas, viewer)
        # A click beside all controls, or on one that takes no focus, leaves the keys to the image.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setFocusProxy(_canvas(viewer))
        self.classes.renamed.connect(to_image)
        self._dropping = Dropping(self, viewer, self.controller)
        self._manners = Manners(self, to_image)
        # When the window goes, Qt destroys the panel and what is in it without asking. A method of the panel would not
        # be called any more; the controller outlives it.
        self.activity = Activity(self.controller)
        self._close = _closing(self.activity, page, self.controller)
        self.destroyed.connect(self._close)

    def event(self, event: QEvent | None) -> bool:
        # napari takes a closed panel out of its dock and forgets it: no close event is sent.
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.objects.remove_table()
            self._close()
        return bool(super().event(event))

    @property
    def sections(self) -> tuple[Section, ...]:
        """From top to bottom."""
        painting = (self.images, self.classes, self.segment, self.view, self.check, self.objects)
        return (*painting, self.features, self.adapt, self.keys)

    def _lay_out(self) -> None:
        controller = self.controller
        self.status = StatusCard(controller)
        self.images = ImagesSection(controller)
        self.classes = ClassesSection(controller)
        self.segment = SegmentSection(controller)
        self.view = ViewSection(controller)
        self.check = CheckSection(controller)
        self.objects = ObjectsSection(controller)
        self.features = FeaturesSection(controller)
        self.adapt = AdaptSection(controller, controller.adapting)
        self.keys = _keys_section()
        self.project = ProjectMenu(controller)
        self.files = FilesBar(controller)
        controller.rereading.said.connect(show_info)
        self.files.buttons.insertWidget(0, self.project, 1)
        controller.adapting.finished.connect(self.features.show_backbones)
        sections = QVBoxLayout()
        sections.setContentsMargins(0, 0, 4, 0)
        sections.setSpacing(2)
        for section in self.sections:
            sections.addWidget(section)
        sections.addStretch()
        content = QWidget()
        content.setLayout(sections)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(GAP)
        layout.addWidget(self.status)
        layout.addWidget(OfferCard(controller))
        layout.addWidget(_Column(content), 1)
        layout.addWidget(self.files)
        layout.addWidget(ProjectLine(controller))


class _Column(QScrollArea):
    """Scrolls up and down only, and asks for the width that this takes."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.setWidget(content)
        self.setWidgetResizable(True)
        # Else a click on what takes no focus gives it to the column, and keys are lost.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        bar = self.verticalScrollBar()
        width = 0 if bar is None else bar.sizeHint().width()
        return QSize(self._content.minimumSizeHint().width() + width + 2 * GAP, MIN_HEIGHT)


def _closing(*parts: Activity | Page | Controller) -> Callable[[], None]:
    """A plain function: Qt drops connections to methods of what it is destroying."""

    def close() -> None:
        for part in parts:
            part.close()

    return close


def _canvas(viewer: Viewer) -> QWidget:
    # napari 0.9 has no public way to it.
    canvas: QWidget = viewer.window._qt_viewer.canvas.native
    return canvas


def _focus_canvas(viewer: Viewer) -> None:
    _canvas(viewer).setFocus()


def _keys_section() -> Section:
    section = Section("Keys", expanded=False)
    grid = QGridLayout()
    grid.setColumnStretch(1, 1)
    for line, (key, action) in enumerate(DESCRIPTIONS):
        grid.addWidget(QLabel(f"<b>{key}</b>"), line, 0)
        grid.addWidget(wrapping(action), line, 1)
    section.rows.addLayout(grid)
    return section
