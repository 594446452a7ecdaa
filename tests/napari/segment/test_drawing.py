"""Of a large image, what is in view is segmented first, as fine as the canvas shows it; then the rest."""

from types import SimpleNamespace

import numpy as np
import pytest

from patchfield import LinearProbe, extract
from patchfield.field import FeatureRecipe
from patchfield.field.coarse import coarse_projection
from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role
from patchfield.napari.segment import drawing
from patchfield.napari.session.results import ResultState
from patchfield.napari.session.view import Show
from patchfield.testing.backbones import RandomLift


@pytest.fixture(autouse=True)
def all_is_large(monkeypatch):
    """Images of tests are small: let them be drawn as large ones are."""
    monkeypatch.setattr(drawing, "SMALL", 0)
    monkeypatch.setattr(drawing.pieces, "__defaults__", (32,))


@pytest.fixture
def pieces(painted) -> list[drawing.Drawn]:
    """What is drawn from now on."""
    found: list[drawing.Drawn] = []
    painted.live.drawn.connect(lambda drawn: found.append(drawn))
    return found


def look_at(controller, rows: slice, columns: slice, canvas: int) -> None:
    """Bring a part of the image into view, on a canvas of so many pixels."""
    controller.viewer.canvas.size = (canvas, canvas)
    corners = [(rows.start, columns.start), (rows.stop - 1, columns.stop - 1)]
    controller.current.labels.corner_pixels = np.array(corners)


def test_what_is_in_view_comes_first_and_all_of_it_in_the_end(painted, pieces, stroke):
    look_at(painted, slice(64, 96), slice(0, 32), canvas=100)
    stroke(painted, 1, 70, 4)
    views = [(piece.region, piece.last, piece.made.whole) for piece in pieces]
    assert views[0] == ((slice(64, 96), slice(0, 32)), False, False)
    assert [last for _, last, _ in views[1:]] == [False] * 8 + [True]
    assert views[1][0] == (slice(64, 96), slice(0, 32)), "nearest to the view"
    source, probe = painted.current.source, painted.live.probe
    segmentation = painted.current.result(Role.SEGMENTATION).data
    assert np.array_equal(segmentation, probe.segment(painted.features.field(painted.current.plane(()))))
    assert painted.results.state(source) is ResultState.CURRENT


def test_from_a_distance_a_pixel_of_the_canvas_is_segmented_once(painted, pieces, stroke):
    look_at(painted, slice(0, 96), slice(0, 96), canvas=24)
    stroke(painted, 1, 70, 4)
    first, *rest = pieces
    assert first.region == (slice(0, 96), slice(0, 96))
    squares = first.values.reshape(24, 4, 24, 4)
    assert (squares == squares[:, :1, :, :1]).all()
    final = painted.current.result(Role.SEGMENTATION).data
    assert np.mean(first.values[2::4, 2::4] == final[2::4, 2::4]) > 0.85
    assert [piece.last for piece in rest[-9:]] == [False] * 8 + [True]


@pytest.mark.parametrize("show", [Show.PROBABILITY, Show.UNCERTAINTY])
def test_maps_are_drawn_from_a_distance_too(painted, pieces, show):
    look_at(painted, slice(0, 96), slice(0, 96), canvas=24)
    painted.show(show, 2)
    coarse, *fine = [piece for piece in pieces if piece.show is show]
    final = np.zeros((96, 96), np.float32)
    for piece in fine:
        final[piece.region] = piece.values
    assert np.mean(np.abs(coarse.values - final) < 0.1) > 0.85


def test_from_a_distance_an_image_that_was_not_painted_is_seen_as_it_will_be_segmented():
    """Its scores do without the shift of the image (patchfield.probe.shift), in whatever way it is drawn."""
    noise = np.random.default_rng(1).normal(scale=0.2, size=(64, 96, 3))
    image = (np.repeat([0.0, 0.5, 1.0], 32)[None, :, None] * [1.0, 1.0, 0.0] + noise).astype(np.float32)
    fields = [
        extract(pixels, RandomLift(), "fast", contrast=(-1.0, 3.0))
        for pixels in (image, image + np.float32([0, 0.6, 0]))
    ]
    labels = np.zeros((64, 96), np.uint8)
    labels[10:50:20, 5:25], labels[10:50:20, 40:60], labels[10:50:20, 70:90] = 1, 2, 3
    probe = LinearProbe().fit([(fields[0], labels)])
    view = (slice(0, 64), slice(0, 96))
    target = SimpleNamespace(field=fields[1], view=view, step=4)
    scores = drawing._coarse_scores(probe, target)
    segmented = probe.segment(fields[1])[2::4, 2::4]
    plain = probe.values[fields[1].argmax(probe.weights, probe.bias)][2::4, 2::4]
    drawn = probe.values[scores.argmax(0)]
    assert np.mean(drawn == segmented) > 0.85
    assert np.mean(drawn == segmented) > np.mean(drawn == plain) + 0.1


def test_while_only_the_view_is_new_the_result_is_partial_and_a_stroke_interrupts_the_rest(
    viewer, stepped, two_phases, stroke, paint_both
):
    controller = Controller(viewer, stepped, FeatureRecipe("filters"))
    viewer.add_image(two_phases(), name="steel")
    paint_both(controller)
    stepped.run()
    source = controller.current.source
    assert controller.results.state(source) is ResultState.CURRENT
    look_at(controller, slice(64, 96), slice(0, 32), canvas=100)
    stroke(controller, 1, 70, 4)
    while controller.live.updating:
        stepped.step()
    assert controller.results.state(source) is ResultState.PARTIAL
    before = controller.live.probe
    stroke(controller, 2, 20, 70)
    stepped.run()
    assert controller.live.probe is not before
    assert controller.results.state(source) is ResultState.CURRENT
    controller.close()


def test_only_what_is_new_goes_to_the_graphics_card(painted, stroke):
    look_at(painted, slice(64, 96), slice(0, 32), canvas=100)
    layer, sent, everything = painted.current.result(Role.SEGMENTATION), [], []
    layer.events.labels_update.connect(lambda event: sent.append((tuple(event.offset), event.data.shape)))
    layer.events.set_data.connect(everything.append)
    stroke(painted, 1, 70, 4)
    assert sent[0] == ((64, 0), (32, 32))
    assert not everything


def test_a_coarse_projection_is_that_of_the_nearest_tokens():
    image = np.random.default_rng(0).integers(0, 255, (70, 90)).astype(np.uint8)
    field = extract(image, "micro", interpolation="nearest") | extract(image, "filters", interpolation="nearest")
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(field.channels, 3)).astype(np.float32)
    rows, columns = np.arange(3, 70, 8), np.arange(1, 90, 7)
    bias = np.array([1, 2, 3], np.float32)
    expected = field.project(weights, bias)[:, rows][:, :, columns]
    np.testing.assert_allclose(coarse_projection(field, weights, bias, rows, columns), expected, rtol=1e-4, atol=1e-4)
