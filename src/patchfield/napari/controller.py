"""The owner of everything that the panel shows and does, and of its end."""

from collections.abc import Callable, Sequence

from napari.components import ViewerModel

from patchfield.field import FeatureRecipe
from patchfield.napari._qt.notices import notify
from patchfield.napari.adapt.adapting import Adapting
from patchfield.napari.check.check import Check
from patchfield.napari.explore.adopting import Adopting
from patchfield.napari.explore.explorer import Explorer
from patchfield.napari.files import Files
from patchfield.napari.jobs import Runner
from patchfield.napari.layers.class_features import ClassFeatures
from patchfield.napari.layers.keys import Keys
from patchfield.napari.layers.places import Places
from patchfield.napari.objects.objects import Objects
from patchfield.napari.preferences import Acting, first_backbone
from patchfield.napari.project.images import Images
from patchfield.napari.project.rereading import Rereading
from patchfield.napari.project.working import WorkingProject
from patchfield.napari.segment.apply import Applying
from patchfield.napari.segment.arriving import Magnification
from patchfield.napari.segment.catalogue import Catalogue
from patchfield.napari.segment.cuts import CutPlanes
from patchfield.napari.segment.folder import FolderRun
from patchfield.napari.segment.notices import Notices
from patchfield.napari.segment.palette import Palette
from patchfield.napari.segment.unsure import UnsureTour
from patchfield.napari.session.settings import Settings
from patchfield.napari.session.signals import disconnect_all
from patchfield.napari.workspace import Workspace


class Controller(Workspace):
    """A workspace with all that can be done in it; works on any ``ViewerModel``, with or without a display.

    Parameters
    ----------
    viewer : ViewerModel
    runner : Runner
        Runs everything that takes longer than a frame; it ends with the controller.
    recipes : FeatureRecipe or sequence of them, optional
        What features are made with at first, joined where there are several; by default the backbone to begin with,
        in its balanced sampling.
    on_error : callable
        Called with every exception of a job.
    settings : Settings, optional
        Preferences, and what is remembered; by default those of a first start, which are not kept.

    Attributes
    ----------
    images : Images
        All images that can be worked on, open or not.
    settings : Settings
    rereading : Rereading
        Mends what napari's own reader made of a file.
    project : WorkingProject
        Where everything is kept that is done.
    files : Files
        Probes, labels and results in and out.
    applying : Applying
        One probe on many planes.
    folder : FolderRun
        One probe on a folder of files.
    magnification : Magnification
        Images seen as large as the probe knows things.
    notices : Notices
        What there is to know of the result on view.
    explorer : Explorer
        What can be seen in the features without labels.
    adopting : Adopting
        Strokes made of it.
    class_features : ClassFeatures
        What the classes cover, as features of the segmentation's layer.
    places : Places
        Goes to places of images, and back.
    tour : UnsureTour
        Where a stroke would help most.
    check : Check
        How far the probe can be trusted.
    objects : Objects
        The objects of a class, counted and measured.
    cuts : CutPlanes
        What rolled and three-dimensional views show beside the live plane.
    adapting : Adapting
        A backbone of the user's own images.
    palette : Palette
        What can be done to the list of classes.
    catalogue : Catalogue
        What timm has.
    keys : Keys

    Examples
    --------
    >>> import numpy as np
    >>> from patchfield.napari.jobs import InlineRunner
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.eye(96), name="steel")
    >>> controller = Controller(viewer, InlineRunner(), FeatureRecipe("filters"))
    >>> controller.current.labels.paint((20, 20), 1)
    >>> controller.status.sentence
    'Now paint another class: click its row below, or press Shift+Q, Shift+W.'
    >>> controller.close()
    """

    def __init__(
        self,
        viewer: ViewerModel,
        runner: Runner,
        recipes: FeatureRecipe | Sequence[FeatureRecipe] | None = None,
        on_error: Callable[[Exception], None] = notify,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        recipes = recipes or FeatureRecipe(first_backbone(self.settings))
        recipes = (recipes,) if isinstance(recipes, FeatureRecipe) else tuple(recipes)
        super().__init__(viewer, runner, recipes, on_error)
        self.images = Images(self)
        self.project = WorkingProject(self, self.images, self.settings)
        self.rereading = Rereading(self)
        self.preferences = Acting(self, self.settings)
        self.files = Files(self)
        self.applying = Applying(self)
        self.folder = FolderRun(self)
        self.magnification = Magnification(self)
        self.notices = Notices(self, self.applying, self.magnification)
        self.places = Places(viewer, self.annotations)
        self.explorer = Explorer(self, self.places)
        self.adopting = Adopting(self, self.explorer)
        self.class_features = ClassFeatures(viewer, self.results, self.classes, self.annotations)
        self.tour = UnsureTour(self, self.places)
        self.check = Check(self, self.places)
        self.objects = Objects(self, self.places)
        self.cuts = CutPlanes(self)
        self.adapting = Adapting(self)
        self.palette = Palette(self, self.settings)
        self.catalogue = Catalogue(self.runner)
        self.keys = Keys(self, self.tour, self.palette, self.images.step)
        self._closed = False

    def close(self) -> None:
        """Stop all jobs, stop listening and reporting, free the keys; the layers stay."""
        if self._closed:
            return
        self._closed = True
        disconnect_all(
            self.images, self.project, self.files, self.files.exporting, self.applying, self.folder, self.notices
        )
        disconnect_all(self.explorer, self.adapting, self.places, self.check, self.objects, self.catalogue)
        disconnect_all(self.rereading)
        kept = (self.preferences, self.rereading, self.project, self.images)
        parts = (*kept, self.keys, self.tour, self.adopting, self.explorer)
        for part in (*parts, self.cuts, self.adapting, self.check, self.objects, self.places, self.catalogue):
            part.close()
        for work in (self.notices, self.applying, self.files, self.folder):
            work.close()
        super().close()
        self.runner.close()
