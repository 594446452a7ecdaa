"""The suite for backbones: our own test backbones pass it, and what breaks a promise does not."""

import pytest
import torch

from patchfield.testing import BackboneTests
from patchfield.testing.backbones import GreyLevels, PatchColours, PatchMeans, RandomLift


class TestPatchMeans(BackboneTests):
    @pytest.fixture(params=[[(4, 4, 3)], [(2, 4, 3), (8, 8, 5)], [(7, 14, 2)]], ids=str)
    def backbone(self, request):
        return PatchMeans(*request.param)

    @pytest.fixture
    def again(self, backbone):
        return PatchMeans(*((level.pitch, level.patch, level.channels) for level in backbone.levels))

    @pytest.fixture
    def others(self):
        return [PatchMeans((4, 4, 4)), PatchMeans((2, 4, 3))]


class TestRandomLift(BackboneTests):
    @pytest.fixture
    def backbone(self):
        return RandomLift()

    @pytest.fixture
    def again(self):
        return RandomLift()

    @pytest.fixture
    def others(self):
        return [RandomLift(fingerprint="lift-2")]


class TestPatchColours(BackboneTests):
    @pytest.fixture
    def backbone(self):
        return PatchColours()

    @pytest.fixture
    def again(self):
        return PatchColours()

    @pytest.fixture
    def others(self):
        return [PatchColours("other")]


class TestGreyLevels(BackboneTests):
    @pytest.fixture
    def backbone(self):
        return GreyLevels((0.2, 0.5, 0.8))

    @pytest.fixture
    def again(self):
        return GreyLevels((0.2, 0.5, 0.8))

    @pytest.fixture
    def others(self):
        return [GreyLevels((0.2, 0.5, 0.8), sees=False), GreyLevels((0.2, 0.5))]


class Restless(RandomLift):
    """Depends on the whole batch, on what was encoded before, and on chance."""

    def encode(self, batch):
        (tokens,) = super().encode(batch)
        return [tokens + batch.mean() + torch.rand(1)]


class Short(RandomLift):
    """Leaves a column of tokens out, and returns half precision."""

    def encode(self, batch):
        (tokens,) = super().encode(batch)
        return [tokens[..., 1:].half()]


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Restless, "test_tokens_are_the_same_every_time_and_input_stays_as_it_is"),
        (Restless, "test_a_crop_does_not_depend_on_its_batch"),
        (Short, "test_tokens_have_the_shapes_that_levels_promise"),
        (Short, "test_the_smallest_crop_has_tokens"),
    ],
)
def test_broken_promises_are_found(broken, test):
    with pytest.raises(AssertionError):
        getattr(BackboneTests(), test)(broken())
