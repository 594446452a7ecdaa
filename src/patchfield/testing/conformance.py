"""What every backbone must do, as tests that anybody can run on theirs."""

import json

import numpy as np
import pytest
import torch

import patchfield as pf
from patchfield.backbones.base import Backbone

_TOLERANCE = 1e-4
"""Of a token's largest value: sums over batches of other sizes are rounded in another order."""


class BackboneTests:
    """A suite for subclasses of :class:`patchfield.Backbone`: inherit from it and say which backbone is meant.

    A subclass defines the fixture ``backbone``, and may define two more: ``again``, the same backbone made a second
    time, and ``others``, backbones that differ from it in weights or options. Tests that need one of these are skipped
    without it.

    Examples
    --------
    >>> import pytest
    >>> from patchfield.testing import BackboneTests
    >>> from patchfield.testing.backbones import RandomLift
    >>> class TestRandomLift(BackboneTests):
    ...     @pytest.fixture
    ...     def backbone(self):
    ...         return RandomLift()
    """

    @pytest.fixture
    def again(self) -> Backbone:
        """The backbone, made once more."""
        pytest.skip("the fixture `again` is not defined")

    @pytest.fixture
    def others(self) -> list[Backbone]:
        """Backbones with other weights or other options."""
        pytest.skip("the fixture `others` is not defined")

    def test_says_what_it_is(self, backbone: Backbone) -> None:
        assert isinstance(backbone, pf.Backbone)
        assert isinstance(backbone.name, str)
        assert backbone.name
        assert isinstance(backbone.fingerprint, str)
        assert backbone.fingerprint
        assert json.loads(json.dumps(backbone.options)) == backbone.options, "options must survive JSON"
        assert isinstance(backbone.device, torch.device)

    def test_levels_go_from_fine_to_coarse(self, backbone: Backbone) -> None:
        pitches = [level.pitch for level in backbone.levels]
        assert pitches == sorted(pitches)
        assert all(min(level.pitch, level.patch, level.channels) >= 1 for level in backbone.levels)
        assert backbone.channels == sum(level.channels for level in backbone.levels)

    def test_a_tile_holds_whole_tokens_and_more_than_its_margins(self, backbone: Backbone) -> None:
        assert 0 <= 2 * backbone.margin < backbone.tile
        if backbone.tile <= 4096:  # beyond, an image is one crop
            for level in backbone.levels:
                assert level.pixels(level.tokens(backbone.tile)) == backbone.tile, level

    def test_tokens_have_the_shapes_that_levels_promise(self, backbone: Backbone) -> None:
        for height, width in _crop_sides(backbone):
            found = backbone.encode(_images(2, height, width))
            expected = [(2, level.channels, level.tokens(height), level.tokens(width)) for level in backbone.levels]
            assert [tuple(tokens.shape) for tokens in found] == expected, (height, width)

    def test_the_smallest_crop_has_tokens(self, backbone: Backbone) -> None:
        side = _smallest_side(backbone)
        assert all(tokens.numel() for tokens in backbone.encode(_images(1, side, side)))

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0, None])
    def test_tokens_are_finite_float32_without_gradients(self, backbone: Backbone, value: float | None) -> None:
        height, width = _crop_sides(backbone)[0]
        batch = _images(1, height, width) if value is None else torch.full((1, 3, height, width), value)
        for tokens in backbone.encode(batch):
            assert tokens.dtype == torch.float32
            assert torch.isfinite(tokens).all()
            assert not tokens.requires_grad

    def test_tokens_are_the_same_every_time_and_input_stays_as_it_is(self, backbone: Backbone) -> None:
        batch = _images(2, *_crop_sides(backbone)[0])
        kept = batch.clone()
        first = backbone.encode(batch)
        assert torch.equal(batch, kept)
        for tokens, repeated in zip(first, backbone.encode(batch), strict=True):
            assert torch.equal(tokens, repeated)

    def test_a_crop_does_not_depend_on_its_batch(self, backbone: Backbone) -> None:
        batch = _images(3, *_crop_sides(backbone)[0])
        together = backbone.encode(batch)
        for number in range(len(batch)):
            alone = backbone.encode(batch[number : number + 1])
            for level, tokens in zip(together, alone, strict=True):
                difference = (level[number] - tokens[0]).abs().max()
                assert difference <= _TOLERANCE * tokens.abs().max(), f"crop {number} of the batch"

    def test_another_image_makes_other_tokens(self, backbone: Backbone) -> None:
        batch = _images(2, *_crop_sides(backbone)[0])
        pairs = zip(backbone.encode(batch[:1]), backbone.encode(batch[1:]), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs)

    def test_adapting_to_an_image_leaves_the_backbone_as_it_was(self, backbone: Backbone) -> None:
        from patchfield.images import model_image

        batch = _images(1, *_crop_sides(backbone)[0])
        before = backbone.encode(batch)
        adapted = backbone.adapted(model_image(_pixels(48, 64) // 3))
        for attribute in ("name", "options", "fingerprint", "levels", "tile", "margin"):
            assert getattr(adapted, attribute) == getattr(backbone, attribute), attribute
        for tokens, unchanged in zip(before, backbone.encode(batch), strict=True):
            assert torch.equal(tokens, unchanged)

    def test_fingerprints_are_stable(self, backbone: Backbone, again: Backbone) -> None:
        assert again is not backbone
        assert again.fingerprint == backbone.fingerprint
        assert (again.name, again.options, again.levels) == (backbone.name, backbone.options, backbone.levels)

    def test_equal_fingerprints_mean_equal_features(self, backbone: Backbone, again: Backbone) -> None:
        batch = _images(1, *_crop_sides(backbone)[0])
        for tokens, repeated in zip(backbone.encode(batch), again.encode(batch), strict=True):
            assert torch.equal(tokens, repeated)

    def test_fingerprints_tell_weights_and_options_apart(self, backbone: Backbone, others: list[Backbone]) -> None:
        fingerprints = [backbone.fingerprint, *(other.fingerprint for other in others)]
        assert len(set(fingerprints)) == len(fingerprints) > 1

    @pytest.mark.parametrize("shape", [(61, 83), (1, 1), (40, 56, 3)])
    def test_images_of_any_size_have_fields(self, backbone: Backbone, shape: tuple[int, ...]) -> None:
        field = pf.extract(_pixels(*shape), backbone, "fast")
        assert (field.shape, field.channels) == (shape[:2], backbone.channels)
        dense = field.dense()
        assert dense.shape == (backbone.channels, *shape[:2])
        assert np.isfinite(dense).all()
        (recipe,) = field.recipes
        assert (recipe.backbone, recipe.fingerprint) == (backbone.name, backbone.fingerprint)


def _smallest_side(backbone: Backbone) -> int:
    """Pixels of the smallest crop that holds whole tokens of every level."""
    side = max(level.patch for level in backbone.levels)
    while any(level.pixels(level.tokens(side)) != side for level in backbone.levels):
        side += 1
    return side


def _crop_sides(backbone: Backbone) -> list[tuple[int, int]]:
    """Sides of crops of whole tokens: a wide one and a tall one."""
    smallest = _smallest_side(backbone)
    step = int(np.lcm.reduce([level.pitch for level in backbone.levels]))
    count = max(1, 24 // step)
    return [(smallest + count * step, smallest + 3 * count * step), (smallest + 2 * count * step, smallest)]


def _images(count: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(height * width))


def _pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
