"""Which fields are kept."""

import numpy as np
import pytest

from patchfield.field import FeatureRecipe, extract
from patchfield.images import ImageSettings
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.session.planes import Plane


@pytest.fixture
def encoded(monkeypatch) -> list[str]:
    """The backbone of every batch of crops that is encoded from now on."""
    calls: list[str] = []
    encode = extract._encode

    def counting(image, view, batch, backbone, canvas):
        calls.append(backbone.name)
        encode(image, view, batch, backbone, canvas)

    monkeypatch.setattr(extract, "_encode", counting)
    return calls


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


def test_a_backbone_that_is_joined_computes_only_its_own_part(stack, encoded):
    before = stack.target().field
    stack.make_features([FeatureRecipe("filters", "fast"), FeatureRecipe("micro", "fast")])
    assert set(encoded) == {"micro"}
    joined = stack.target().field
    assert joined.channels == before.channels + 64
    assert stack.target().field is joined, "joined once"
    encoded.clear()
    stack.make_features(FeatureRecipe("filters", "fast"))
    assert stack.target().field is before
    assert not encoded


def test_stop_and_another_image_keep_the_tiles_that_are_finished(viewer, two_phases, stepped, encoded):
    controller = Controller(viewer, stepped, FeatureRecipe("micro", "fast"))
    first = viewer.add_image(two_phases(900, 1300))
    while not encoded:
        stepped.step()
    controller.features.stop()
    stepped.run()
    assert controller.features.problem is not None
    controller.features.resume()
    while len(encoded) < 3:
        stepped.step()
    controller.select(viewer.add_image(two_phases(seed=1)))
    stepped.run()
    assert controller.target() is not None
    controller.select(first)
    stepped.run()
    cost = controller.features.cost((900, 1300))
    assert cost.tiles > 3, "or nothing was left to go on with"
    assert len(encoded) == cost.tiles + 1, "each tile of the first image once, and the second image"
    assert controller.features.is_complete(controller.target().plane)
