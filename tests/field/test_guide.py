"""Guided upsampling: what its weights are, and that borders are where the image has them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from patchfield.errors import ProbeError
from patchfield.field import FeatureRecipe, estimate, guide_fingerprint, load_field, save_field
from patchfield.field.guide import guide_weights, node_axis
from patchfield.field.lattice import Lattice
from patchfield.images import ImageSettings
from patchfield.pipeline import Extractor, extract
from patchfield.testing.backbones import PatchMeans


@pytest.fixture
def two_phases():
    """Dark and bright, with a border that waves more closely than tokens stand."""
    rows, columns = np.mgrid[:60, :75]
    return np.where(columns > 37 + 7 * np.sin(rows / 3), 200, 60).astype(np.uint8)


def test_borders_are_those_of_the_image(two_phases):
    """A threshold of the mean brightness of 14 x 14 patches: bilinear rounds the border, guided follows it."""
    wrong = {}
    for interpolation in ("bilinear", "guided"):
        field = extract(two_phases, PatchMeans((14, 14, 2)), "phases(2)", interpolation)
        brightness = field.project(np.array([[1.0], [0.0]]), np.array([-130 / 255]))[0]
        wrong[interpolation] = np.mean((brightness > 0) != (two_phases > 130))
    assert wrong["guided"] < wrong["bilinear"] / 2


def test_the_phases_of_a_sampling_interleave_to_one_lattice(noise):
    field = extract(noise, PatchMeans((14, 14, 3)), "phases(2)")
    grids = field.blocks[0].grids
    lattice = Lattice(grids)
    assert lattice.rows.pitch == 7
    whole = slice(0, lattice.rows.count), slice(0, lattice.columns.count)
    nodes = lattice.maps(lambda tokens: tokens.permute(2, 0, 1).float(), *whole)
    for grid in grids:
        rows, row_tokens = _nodes_of_tokens(grid.rows, lattice.rows)
        columns, column_tokens = _nodes_of_tokens(grid.columns, lattice.columns)
        tokens = grid.tokens.permute(2, 0, 1).float().numpy()[:, row_tokens][:, :, column_tokens]
        np.testing.assert_allclose(nodes[:, rows][:, :, columns], tokens, rtol=2e-3)


def _nodes_of_tokens(axis, lattice):
    """Where the tokens that stand in the image should be found in the lattice."""
    centres = axis.origin + axis.pitch * np.arange(axis.count)
    inside = (centres >= 0) & (centres <= axis.size - 1)
    return np.rint((centres[inside] - lattice.origin) / lattice.pitch).astype(int), inside


def test_weights_are_a_softmax_of_distance_and_likeness(noise):
    """Against the definition, node by node, of a guide that is the noise itself."""
    lattice = Lattice(extract(noise, PatchMeans((8, 8, 2)), "fast").blocks[0].grids)
    rows, columns = node_axis(noise.shape[0]), node_axis(noise.shape[1])
    looks = np.random.default_rng(1).random((rows.count, columns.count, 3), np.float32)
    weights = guide_weights(lattice, lambda strip: looks[strip]).float().numpy()
    np.testing.assert_allclose(weights.sum(-1), 1, atol=5e-3)
    along = [
        (axis.nearest(0.5 + 2 * np.arange(nodes.count)), axis)
        for axis, nodes in ((lattice.rows, rows), (lattice.columns, columns))
    ]
    (row_of, row_axis), (column_of, column_axis) = along
    looks = looks / looks.std((0, 1))
    cells = {
        (i, j): looks[row_of == i][:, column_of == j].mean((0, 1))
        for i in np.unique(row_of)
        for j in np.unique(column_of)
    }
    for node in ((0, 0), (11, 17), (rows.count - 1, columns.count - 1)):
        scores = []
        for i in np.clip(row_of[node[0]] + np.arange(-2, 3), 0, row_axis.count - 1):
            for j in np.clip(column_of[node[1]] + np.arange(-2, 3), 0, column_axis.count - 1):
                steps = [
                    (0.5 + 2 * at - axis.positions[k]) / 8
                    for at, axis, k in zip(node, (row_axis, column_axis), (i, j), strict=True)
                ]
                unlike = np.mean((looks[node] - cells[i, j]) ** 2)
                scores.append(-np.dot(steps, steps) / 2 - unlike / 0.5)
        np.testing.assert_allclose(weights[node], torch.softmax(torch.tensor(scores), 0), atol=2e-3)


def test_fine_grids_have_no_guide(noise):
    field = extract(noise, PatchMeans((2, 2, 3), (16, 16, 3)), "fast", "guided")
    assert [block.guide is None for block in field.blocks] == [True, False]
    assert field.nbytes > extract(noise, PatchMeans((2, 2, 3), (16, 16, 3)), "fast").nbytes


def test_a_guided_field_comes_back_from_its_file(noise, tmp_path):
    field = extract(noise, PatchMeans((14, 14, 4)), "phases(2)", "guided")
    save_field(field, tmp_path / "guided.field")
    again = load_field(tmp_path / "guided.field")
    np.testing.assert_array_equal(again.dense(), field.dense())
    assert again.recipes == field.recipes
    assert again.recipes[0].guide == guide_fingerprint()


def test_a_recipe_with_another_guide_is_refused():
    recipe = Extractor.load(FeatureRecipe("filters", interpolation="guided")).recipes[0]
    assert FeatureRecipe.from_json(recipe.to_json()) == recipe
    with pytest.raises(ProbeError, match="another guide"):
        Extractor.load(replace(recipe, guide="of another version"))


def test_resampled_images_are_guided_in_their_own_pixels(noise):
    """A field of an image that was made smaller first is asked for in the pixels of the image itself."""
    extractor = Extractor.from_backbone(PatchMeans((8, 8, 3)), "fast", "guided", ImageSettings(zoom=0.5))
    field = extractor.field(noise)
    assert field.shape == noise.shape[:2]
    rows, columns = np.array([0, 7, 60]), np.array([0, 40, 82])
    np.testing.assert_allclose(field.sample(rows, columns), field.dense()[:, rows, columns].T, atol=2e-6)


def test_what_a_guide_takes_is_estimated(noise):
    backbone = PatchMeans((14, 14, 4))
    field = extract(noise, backbone, "phases(2)", "guided")
    assert estimate(noise.shape[:2], backbone, "phases(2)", "guided").nbytes == field.nbytes
