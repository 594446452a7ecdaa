"""The Extractor: recipes are carried out by the backbones they were written for, and by no other."""

from dataclasses import replace

import numpy as np
import pytest

import patchfield.pipeline
from patchfield.backbones.micro import MicroNet, MicroSpec, write_micro
from patchfield.errors import FieldError, ImageError, ProbeError
from patchfield.field import FeatureRecipe
from patchfield.images import ArrayStack, ImageSettings, model_image
from patchfield.pipeline import Extractor, extract, extraction
from patchfield.testing.backbones import PatchMeans, RandomLift

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 56), np.uint8)


def test_weights_other_than_those_of_the_recipe_are_refused():
    recipe = extract(IMAGE, "filters", "fast").recipes[0]
    with pytest.raises(ProbeError, match=r"other weights than those of 'filters'.*fingerprint other.*train again"):
        Extractor.load(replace(recipe, fingerprint="other"))


def test_weights_are_found_in_the_files_that_are_given(monkeypatch):
    known = {name: RandomLift(fingerprint=name) for name in ("here.pth", "elsewhere.pth")}
    monkeypatch.setattr(patchfield.pipeline, "load_backbone", lambda name, **_: known[name])
    recipe = FeatureRecipe("gone.pth", fingerprint="elsewhere.pth")
    extractor = Extractor.load(recipe, files=["here.pth", "elsewhere.pth"])
    assert extractor.backbones == (known["elsewhere.pth"],)
    with pytest.raises(ProbeError, match=r"original weights of 'gone\.pth'"):
        Extractor.load(recipe, files=["here.pth"])


def test_only_the_file_that_moved_is_given(monkeypatch):
    known = {name: RandomLift(fingerprint=name) for name in ("here", "elsewhere.pth")}
    monkeypatch.setattr(patchfield.pipeline, "load_backbone", lambda name, **_: known[name])
    recipes = [FeatureRecipe("here", fingerprint="here"), FeatureRecipe("gone.pth", fingerprint="elsewhere.pth")]
    extractor = Extractor.load(recipes, files=["elsewhere.pth"])
    assert extractor.backbones == (known["here"], known["elsewhere.pth"])


@pytest.mark.parametrize("option", ["device", "precision", "nothing"])
def test_options_that_no_recipe_holds_are_refused(option):
    """Recipes come from files, which anybody may have written."""
    with pytest.raises(ProbeError, match=option):
        Extractor.load(FeatureRecipe("filters", options={option: "cuda"}))


def test_loading_fills_in_the_fingerprint():
    extractor = Extractor.load(FeatureRecipe("filters", "fast"))
    assert extractor.recipes[0].fingerprint == extractor.backbones[0].fingerprint
    assert Extractor.load(extractor.recipes).recipes == extractor.recipes


def test_a_recipe_keeps_a_name_that_leads_to_the_file_from_anywhere(tmp_path, monkeypatch):
    """Not the path as it was typed: the probe is used in other folders, too."""
    write_micro(tmp_path / "steel.safetensors", MicroNet(MicroSpec((4, 4), (1, 1), 2)))
    monkeypatch.chdir(tmp_path)
    (recipe,) = Extractor.load(FeatureRecipe("steel.safetensors")).recipes
    assert recipe.backbone == str(tmp_path / "steel.safetensors")
    monkeypatch.setenv("PATCHFIELD_WEIGHTS", str(tmp_path))
    (recipe,) = Extractor.load(FeatureRecipe("steel.safetensors")).recipes
    assert recipe.backbone == "steel"


def test_several_backbones_are_joined_and_all_their_steps_are_counted():
    parts = [PatchMeans((4, 4, 3), tile=16), RandomLift(5)]
    recipes = [FeatureRecipe.for_backbone(part, "phases(2)", image=ImageSettings("minmax")) for part in parts]
    joined = Extractor(tuple(parts), tuple(recipes))
    steps = list(joined.steps(IMAGE))
    assert [step.done for step in steps] == list(range(1, steps[0].total + 1))
    alone = [extract(IMAGE, part, "phases(2)", contrast="minmax") for part in parts]
    assert steps[-1].field.recipes == alone[0].recipes + alone[1].recipes
    np.testing.assert_array_equal(steps[-1].field.dense(), (alone[0] | alone[1]).dense())
    assert all(step.field.channels == joined.channels for step in steps if step.field is not None)


def test_the_recipe_says_what_the_image_was_prepared_with():
    backbone = RandomLift()
    prepared = model_image(IMAGE, ImageSettings("minmax"))
    field = extract(prepared, backbone, "fast")
    assert field.recipes[0].image == ImageSettings("minmax")
    np.testing.assert_array_equal(field.dense(), extract(IMAGE, backbone, "fast", contrast="minmax").dense())
    with pytest.raises(ImageError, match="was prepared with"):
        extract(prepared, backbone, "fast", contrast="percentile")


def test_a_plane_of_a_stack_is_asked_for_by_its_index():
    stack = ArrayStack(np.stack([IMAGE, 255 - IMAGE]), "TYX")
    backbone = RandomLift()
    np.testing.assert_array_equal(
        extract(stack, backbone, "fast", plane=(1,)).dense(), extract(255 - IMAGE, backbone, "fast").dense()
    )
    with pytest.raises(ImageError, match="several planes"):
        extract(stack, backbone, "fast")


def test_closing_the_steps_ends_the_work():
    backbone = PatchMeans((4, 4, 3), tile=16)
    steps = extraction(IMAGE, backbone, "phases(4)")
    next(steps)
    steps.close()
    assert len(backbone.crops) == 1


@pytest.mark.parametrize(
    "values", [{"sampling": "phases(1000000)"}, {"sampling": "phases(32) * phases(2)"}, {"interpolation": "lanczos"}]
)
def test_recipes_are_checked_before_anything_is_loaded(values):
    with pytest.raises(FieldError):
        FeatureRecipe("filters", **values)


def test_pixels_without_a_value_are_marked_in_the_field():
    image = IMAGE.astype(np.float32)
    image[10:14, 20:24] = np.nan
    field = extract(image, RandomLift(), "fast")
    np.testing.assert_array_equal(field.missing, np.isnan(image))
    assert (field | extract(IMAGE, RandomLift(), "fast")).missing.sum() == 16
