"""Where features come to stand, how crops are put together, and what an extraction does on the way."""

import errno
from tempfile import TemporaryFile

import numpy as np
import pytest
import torch

from patchfield.errors import FieldError
from patchfield.field import estimate, grid
from patchfield.pipeline import Extractor, extract, extraction
from patchfield.testing.backbones import PatchMeans

SAMPLINGS = [
    "fast",
    "phases(2)",
    "phases(3)",
    "mirrors()",
    "rotations()",
    "phases(2) * mirrors()",
    "shifts(1, 2, moore) * flips()",
]
GEOMETRIES = [(14, 14), (7, 14), (4, 14), (2, 14), (4, 8), (16, 16), (2, 2), (1, 1)]


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize(("pitch", "patch"), GEOMETRIES)
def test_no_sampling_displaces_a_feature(sampling, pitch, patch):
    # The mean of a ramp over a patch is the ramp at the patch's centre, and bilinear interpolation keeps ramps:
    # away from the borders (where shifts wrap and reflections bend) the field must read its own coordinates.
    rows, columns = np.mgrid[:101, :118].astype(np.float32)
    image = np.stack([rows, columns, rows], axis=-1) / 128
    field = extract(image, PatchMeans((pitch, patch, 3)), sampling, contrast="none")
    inner = (slice(32, -32), slice(32, -32))
    found = field.dense(inner)[:2] * 128
    assert np.abs(found[0] - rows[inner]).max() < 0.5
    assert np.abs(found[1] - columns[inner]).max() < 0.5


@pytest.mark.parametrize("sampling", ["fast", "balanced", "fine", "hr-dv2", "rotations()"])
def test_a_planted_blob_stays_at_its_pixel(sampling):
    rows, columns = np.mgrid[:150, :170]
    blob = np.exp(-((rows - 71) ** 2 + (columns - 88) ** 2) / (2 * 12**2)).astype(np.float32)
    response = extract(blob, PatchMeans((14, 14, 1)), sampling, contrast="none").dense()[0]
    centre = [(response * axis).sum() / response.sum() for axis in (rows, columns)]
    np.testing.assert_allclose(centre, [71, 88], atol=0.5)


@pytest.mark.parametrize("levels", [((14, 14, 4),), ((7, 14, 4),), ((1, 1, 3), (2, 2, 4), (8, 8, 2))])
@pytest.mark.parametrize("margin", [0, 5, 20])
def test_tiles_agree_with_the_whole_where_context_allows(levels, margin):
    image = np.random.default_rng(0).random((211, 187, 3), dtype=np.float32)
    whole = extract(image, PatchMeans(*levels), "phases(2) * rotations()")
    backbone = PatchMeans(*levels, tile=70, margin=margin)
    tiled = extract(image, backbone, "phases(2) * rotations()")
    assert len(backbone.crops) > len(whole.blocks[0].grids)
    np.testing.assert_allclose(tiled.dense(), whole.dense(), atol=3e-3)


def test_tokens_without_context_are_faded_out():
    class Spoilt(PatchMeans):
        """Adds nonsense to the outermost 8 pixels of each crop, as missing context does."""

        def encode(self, batch):
            (tokens,) = super().encode(batch)
            spoilt = tokens + 5
            spoilt[:, :, 4:-4, 4:-4] = tokens[:, :, 4:-4, 4:-4]
            return [spoilt]

    image = np.random.default_rng(0).random((200, 200), dtype=np.float32)
    clean = PatchMeans((2, 2, 1), tile=64, margin=8)
    spoilt = Spoilt((2, 2, 1), tile=64, margin=8)
    inner = (slice(10, -10), slice(10, -10))  # the outermost crops have no neighbour to ask
    difference = extract(image, spoilt, "fast").dense(inner) - extract(image, clean, "fast").dense(inner)
    assert np.abs(difference).max() < 0.05


def test_every_view_yields_a_usable_field(noise):
    backbone = PatchMeans((14, 14, 3), tile=42, margin=0)
    steps = list(extraction(noise, backbone, "phases(2)"))
    assert [step.done for step in steps] == list(range(1, steps[-1].total + 1))
    fields = [step.field for step in steps if step.field is not None]
    assert [len(field.blocks[0].grids) for field in fields] == [1, 2, 3, 4]
    assert all(field.dense().shape == (3, 61, 83) for field in fields)
    assert steps[-1].field is fields[-1]


def test_closing_the_iterator_cancels(noise):
    backbone = PatchMeans((14, 14, 3))
    steps = extraction(noise, backbone, "hr-dv2")
    next(steps)
    steps.close()
    assert len(backbone.crops) == 1


def test_views_that_occur_twice_are_computed_once_and_count_twice(noise):
    backbone = PatchMeans((14, 14, 2))
    field = extract(noise, backbone, "flips()")
    assert len(backbone.crops) == 3
    alone = [extract(noise, backbone, sampling).dense() for sampling in ("fast", "mirrors()")]
    identity, horizontal_vertical_both = alone
    flipped = noise[::-1, ::-1].copy()
    both = extract(flipped, backbone, "fast").dense()[:, ::-1, ::-1]
    expected = (identity * 2 + (horizontal_vertical_both * 4 - identity - both)) / 4
    np.testing.assert_allclose(field.dense(), expected, atol=2e-3)


def test_a_pixel_grid_has_no_phases(noise):
    assert len(extract(noise, PatchMeans((1, 1, 3)), "phases(4)").blocks[0].grids) == 1


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 40), (13, 200), (14, 14), (15, 29)])
@pytest.mark.parametrize("sampling", ["balanced", "hr-dv2", "mirrors()"])
def test_images_smaller_than_a_patch_have_fields_too(shape, sampling):
    image = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    dense = extract(image, PatchMeans((14, 14, 2), tile=28), sampling).dense()
    assert dense.shape == (2, *shape)
    assert np.isfinite(dense).all()
    assert dense[0].min() >= image.min() / 255 - 1e-3
    assert dense[0].max() <= image.max() / 255 + 1e-3


def test_tokens_that_half_precision_cannot_hold_do_not_spread():
    class Overflowing(PatchMeans):
        def encode(self, batch):
            tokens = [tokens.clone() for tokens in super().encode(batch)]
            tokens[0][0, 0, 0, :3] = torch.tensor([torch.nan, torch.inf, -1e9])
            return tokens

    backbone = Overflowing((2, 2, 1))
    assert np.isfinite(extract(np.zeros((20, 20)), backbone, "fast").dense()).all()


def test_the_estimate_is_what_the_field_takes(noise):
    backbone = PatchMeans((7, 14, 4), (14, 14, 2), tile=28)
    field = extract(noise, backbone, "phases(2)")
    expected = estimate(noise.shape[:2], backbone, "phases(2)")
    assert expected.nbytes == field.nbytes
    assert expected.views == 4
    assert expected.tiles == len(backbone.crops)


def test_the_tokens_of_a_very_large_image_lie_on_disk(noise, monkeypatch):
    in_memory = extract(noise, PatchMeans((4, 4, 4), tile=40), "phases(2)")
    files = []
    monkeypatch.setattr(grid, "_ON_DISK_FROM", 1000)
    opened = lambda **_: files.append(TemporaryFile()) or files[-1]  # noqa: E731, SIM115
    monkeypatch.setattr(grid.tempfile, "TemporaryFile", opened)
    on_disk = extract(noise, PatchMeans((4, 4, 4), tile=40), "phases(2)")
    assert len(files) == 4
    assert all(file.closed for file in files)
    np.testing.assert_array_equal(on_disk.dense(), in_memory.dense())


def test_a_full_temporary_folder_is_said(noise, monkeypatch):
    monkeypatch.setattr(grid, "_ON_DISK_FROM", 1000)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(grid.os, "posix_fallocate", full)
    with pytest.raises(FieldError, match=r"no room for .* GiB of features .*TMPDIR"):
        extract(noise, PatchMeans((4, 4, 4)), "fast")


def test_unknown_interpolation_is_refused(noise):
    with pytest.raises(FieldError, match="bicubic"):
        extract(noise, PatchMeans((14, 14, 2)), "fast", "lanczos")


def test_what_is_looked_at_comes_first_and_the_order_changes_no_bit():
    image = np.random.default_rng(1).random((400, 520), dtype=np.float32)
    backbone = PatchMeans((2, 4, 3), (8, 8, 5), tile=120, margin=16)
    region = (slice(300, 360), slice(400, 480))
    steps = list(Extractor.from_backbone(backbone, "fast").steps(image, looked_at=lambda: region))
    whole = extract(image, backbone, "fast")
    growing = [step.field for step in steps if step.field is not None]
    assert len(growing) > 3
    first, last = growing[0], growing[-1]
    assert not first.missing[330, 440], "the first crop is the one in the middle of what is looked at"
    assert first.missing.mean() > 0.8
    shares = [1.0 if field.missing is None else field.missing.mean() for field in growing[:-1]]
    assert shares == sorted(shares, reverse=True)
    there = np.nonzero(~growing[1].missing)
    np.testing.assert_array_equal(growing[1].sample(*there), whole.sample(*there))
    assert last.missing is None
    assert torch.equal(last.blocks[0].grids[0].tokens, whole.blocks[0].grids[0].tokens)
