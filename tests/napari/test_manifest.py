"""What napari reads of us without importing us."""

from importlib.resources import files
from pathlib import Path
from pkgutil import resolve_name
from xml.etree import ElementTree

import numpy as np
import pytest
from napari._app_model.constants import MenuId
from npe2 import PluginManifest

import patchfield.napari
from patchfield.samples import samples

MANIFEST = Path(patchfield.napari.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_the_manifest_is_valid_and_everything_it_names_exists(manifest):
    manifest.validate_imports()


def test_it_is_seen_at_the_root():
    link = Path(__file__).parents[2] / "napari.yaml"
    assert link.is_symlink()
    assert link.resolve() == MANIFEST.resolve()


def test_napari_finds_it_by_its_entry_point():
    assert PluginManifest.from_distribution("napari-patchfield").name == "napari-patchfield"


def test_the_panel_is_in_the_menus_for_its_job(manifest):
    menus = manifest.contributions.menus
    for menu in ("napari/layers/classify", "napari/layers/segment", "napari/layers/annotate"):
        assert menus[menu][0].command == "napari-patchfield.segment"


def test_every_sample_is_contributed_under_its_title(manifest):
    contributed = {sample.key: sample.display_name for sample in manifest.contributions.sample_data}
    assert contributed == {entry.name: entry.title for entry in samples()}


@pytest.mark.parametrize("key", ["alloy", "foam", "glands"])
def test_a_sample_opens_as_napari_wants_it(manifest, key):
    (sample,) = (sample for sample in manifest.contributions.sample_data if sample.key == key)
    ((pixels, arguments, kind),) = manifest_function(manifest, sample.command)()
    assert kind == "image"
    assert arguments["rgb"] == (key == "glands")
    assert isinstance(pixels, np.ndarray)


def test_every_command_has_its_place_and_no_question_of_napari_s_is_one(manifest):
    """Readers and writers are called by napari with a path; a person who chose them would call them without."""
    contributions = manifest.contributions
    asked = {entry.command for entry in (*contributions.readers, *contributions.writers)}
    placed = {item.command for items in contributions.menus.values() for item in items}
    samples_ = {sample.command for sample in contributions.sample_data}
    shown = {widget.command for widget in contributions.widgets}
    for command in contributions.commands:
        if command.id in asked:
            assert str(command.enablement) == "False"
        else:
            assert command.enablement is None
    alone = {"napari-patchfield.next_image", "napari-patchfield.previous_image"}
    assert {command.id for command in contributions.commands} == asked | placed | samples_ | shown | alone


def test_menus_are_those_that_napari_lets_plugins_add_to(manifest):
    assert set(manifest.contributions.menus) <= {str(menu) for menu in MenuId.contributables()}


def test_it_has_an_icon_that_can_be_drawn(manifest):
    package, name = manifest.icon.split(":")
    icon = files(package) / name
    assert ElementTree.fromstring(icon.read_text()).tag.endswith("svg")


def test_plain_images_are_left_to_napari_so_that_nobody_is_asked_for_a_reader(manifest):
    """Two plugins for one ending make napari ask at every file that is dropped, and scripts fail."""
    patterns = {pattern for reader in manifest.contributions.readers for pattern in reader.filename_patterns}
    assert patterns == {"*.patchfield", "*.probe", "*.ome.tif", "*.ome.tiff", "*.ome.zarr"}


def manifest_function(manifest, command):
    (contribution,) = (entry for entry in manifest.contributions.commands if entry.id == command)
    return resolve_name(contribution.python_name)
