"""What napari reads of us without importing us."""

from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
from npe2 import PluginManifest

import patchfield.napari
from patchfield.napari.plugin import probe_reader
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
    for menu in ("napari/layers/classify", "napari/layers/segment"):
        assert [item.command for item in menus[menu]] == ["napari-patchfield.segment"]


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


def test_only_probes_are_read():
    assert probe_reader("steel.probe") is not None
    assert probe_reader("steel.tif") is None
    assert probe_reader(["a.probe", "b.probe"]) is None


def manifest_function(manifest, command):
    (contribution,) = (entry for entry in manifest.contributions.commands if entry.id == command)
    return resolve_name(contribution.python_name)
