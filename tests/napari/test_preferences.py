"""napari's settings page: what it offers is what acts."""

import os
from pathlib import Path

import pytest
from napari.components import ViewerModel
from napari.settings import get_plugin_settings
from npe2 import PluginManifest

import patchfield.napari
from patchfield.backbones import weights_folder
from patchfield.backbones.published import EMBEDDED, PUBLISHED
from patchfield.errors import BackboneError
from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.napari.preferences import CATEGORY, PLUGIN, Page, first_backbone
from patchfield.napari.session.settings import AUTOMATIC, LAST_USED, Preferences, Settings

MANIFEST = Path(patchfield.napari.__file__).with_name("napari.yaml")


@pytest.fixture
def page(plugin_settings, npe2pm):
    """napari's page of this manifest, of a first start."""
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    return getattr(get_plugin_settings(PLUGIN), CATEGORY)


@pytest.fixture
def settings(page):
    settings = Settings()
    followed = Page(settings)
    yield settings
    followed.close()


@pytest.fixture
def controller(settings, two_phases, paint_both):
    controller = Controller(ViewerModel(), InlineRunner(), FeatureRecipe("filters"), settings=settings)
    controller.viewer.add_image(two_phases(), name="steel")
    paint_both(controller)
    yield controller
    controller.close()


def test_the_page_offers_every_preference_with_its_default(page, settings):
    assert {name: getattr(page, name) for name in type(page).model_fields} == vars(Preferences())
    assert settings.preferences == Preferences()


def test_every_backbone_that_has_a_name_can_be_the_first(page):
    offered = type(page).model_fields["backbone"].json_schema_extra["enum"]
    assert offered == [AUTOMATIC, LAST_USED, *(weight.name for weight in (*EMBEDDED, *PUBLISHED))]


def test_opacity_acts_on_segmentations_that_are_there_and_that_come(page, controller, two_phases):
    page.opacity = 0.8
    layer = controller.current.result(Role.SEGMENTATION)
    assert layer.opacity == 0.8
    controller.viewer.layers.remove(layer)
    controller.learn()
    assert controller.current.result(Role.SEGMENTATION).opacity == 0.8


def test_the_device_is_that_of_the_next_backbone(page, controller, monkeypatch):
    seen = []

    def note(recipe, device="auto", **options):
        seen.append(device)
        raise BackboneError("enough")

    monkeypatch.setattr("patchfield.napari.segment.features.Extractor.load", note)
    page.device = "cpu"
    controller.viewer.add_image(controller.current.source.layer.data[:64], name="other")
    assert seen == ["cpu"]


def test_memory_limits_what_is_kept(page, controller):
    page.memory = 1.5
    assert controller.features.max_kept_bytes == 1_500_000_000


def test_weights_folder_and_offline_reach_whatever_asks_and_go_again(page, controller, monkeypatch, tmp_path):
    before = weights_folder()
    page.weights_folder = str(tmp_path)
    page.offline = True
    try:
        assert weights_folder() == tmp_path
        monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, **__: pytest.fail("the hub was asked"))
        with pytest.raises(BackboneError, match="offline"):
            patchfield.load_backbone("dinov2-small")
    finally:
        page.weights_folder, page.offline = "", False
    assert weights_folder() == before
    assert "PATCHFIELD_OFFLINE" not in os.environ


@pytest.mark.parametrize(
    ("preferred", "last", "first"),
    [
        ("filters", "micro", "filters"),
        (LAST_USED, "filters", "filters"),
        (LAST_USED, "", "micro"),
        (AUTOMATIC, "filters", "micro"),
        ("dinov2-giant", "", "micro"),
    ],
    ids=["a name", "last used", "nothing used yet", "automatic", "not downloaded"],
)
def test_what_a_session_begins_with_needs_no_download(page, settings, preferred, last, first, monkeypatch, tmp_path):
    monkeypatch.setenv("PATCHFIELD_WEIGHTS", str(tmp_path))
    page.backbone = preferred
    settings.remember_backbone(last)
    assert first_backbone(settings) == first


def test_another_backbone_is_remembered_as_the_last(controller, settings):
    controller.make_features(FeatureRecipe("micro"))
    assert settings.memory.last_backbone == "micro"


def test_a_plugin_that_is_switched_off_has_no_page_and_its_defaults(plugin_settings, npe2pm):
    settings = Settings()
    Page(settings).close()
    assert settings.preferences == Preferences()
