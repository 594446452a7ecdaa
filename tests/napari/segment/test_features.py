"""Which fields are kept."""

import numpy as np
import pytest

from patchfield.field import FeatureRecipe
from patchfield.images import ImageSettings
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.session.planes import Plane


@pytest.fixture
def stack(viewer, two_phases) -> Controller:
    controller = Controller(viewer, InlineRunner(), FeatureRecipe("filters", "fast"))
    viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(5)]))
    return controller


def kept(controller: Controller) -> list[int]:
    image = controller.current.source.id
    return [index for index in range(5) if controller.features.field(Plane(image, (index,))) is not None]


def test_fields_beyond_the_limit_go_oldest_first_but_those_with_strokes_stay(stack, stroke):
    stack.viewer.dims.set_point(0, 0)
    stroke(stack, 1, 40, 10)
    size = stack.target().field.nbytes
    stack.features.max_kept_bytes = 3 * size
    for index in (1, 2, 3, 4):
        stack.viewer.dims.set_point(0, index)
    assert kept(stack) == [0, 3, 4], "0 has strokes, 4 is on view"


def test_a_recipe_says_how_features_are_made_not_how_an_image_is_seen(stack):
    field = stack.target().field
    stack.make_features(FeatureRecipe("filters", "fast", image=ImageSettings("minmax")))
    assert stack.target().field is field, "nothing to compute anew"
