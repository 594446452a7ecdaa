"""The section in the real window: a real run from the form to the list of backbones, and one that is left alone."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from patchfield.backbones import export_checkpoint, random_vit
from patchfield.napari._qt.panel import PatchfieldPanel
from patchfield.napari.adapt.adapting import Phase
from patchfield.napari.plugin import PLUGIN

pytestmark = pytest.mark.gui

PATIENCE = 300_000


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch) -> None:
    """A folder of weights that holds one small transformer, "tiny"."""
    monkeypatch.setenv("PATCHFIELD_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    vit = random_vit(
        "vit_tiny_patch16_224", depth=1, embed_dim=32, num_heads=2, patch_size=16, img_size=224, device="cpu"
    )
    export_checkpoint(tmp_path / "tiny.safetensors", vit.transformer.vit.state_dict(), vit.spec)


@pytest.fixture
def panel(make_napari_viewer, two_phases):
    viewer = make_napari_viewer()
    viewer.add_image(two_phases(240, 240), name="steel")
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN)
    yield panel
    panel.controller.close()


def press(panel: PatchfieldPanel, qtbot) -> None:
    """What the form is filled with by itself, in the smallest size; then the button."""
    panel.adapt.steps.setValue(2)
    panel.adapt.batch.setValue(1)
    qtbot.mouseClick(panel.adapt.begin, Qt.MouseButton.LeftButton)


def test_a_backbone_is_adapted_listed_and_used(panel, qtbot):
    section, card = panel.adapt, panel.adapt.card
    assert section.start.currentData() == "tiny"
    selected = panel.controller.features.recipes[0].backbone
    assert section.why.text() == f"'{selected}' cannot be adapted: a vision transformer is needed, such as tiny."
    assert section.name.text() == "steel-adapted"
    assert card.isHidden()
    press(panel, qtbot)
    assert section.form.isHidden()
    assert card.button.text() == "Stop"
    qtbot.waitUntil(lambda: not panel.controller.adapting.status.is_busy, timeout=PATIENCE)
    assert panel.controller.adapting.status.phase is Phase.FINISHED, panel.adapting.status.sentence
    assert section.text() == "Adapt model · ready"
    assert section.name.text() == "steel-adapted-2"
    assert section.start.currentData() == "tiny"
    listed = [panel.features.backbones.itemText(place) for place in range(panel.features.backbones.count())]
    assert "steel-adapted  (trained here)" in listed
    qtbot.mouseClick(card.button, Qt.MouseButton.LeftButton)
    assert panel.features.backbones.currentText() == "steel-adapted  (trained here)"
    assert card.button.isHidden()
    qtbot.waitUntil(lambda: panel.controller.target() is not None, timeout=PATIENCE)
    assert panel.controller.target().field.recipes[0].backbone == "steel-adapted"


def test_closing_the_panel_ends_the_process(panel, qtbot):
    press(panel, qtbot)
    run = panel.controller.adapting.run
    qtbot.waitUntil(lambda: run.is_at_work, timeout=PATIENCE)
    panel.controller.close()
    qtbot.waitUntil(lambda: not run.is_at_work, timeout=PATIENCE)
    assert not run.is_finished


def test_images_can_be_all_that_are_open_or_a_folder(panel, two_phases, tmp_path, monkeypatch):
    section = panel.adapt
    panel.controller.viewer.add_image(two_phases(seed=1), name="other")
    offered = [section.images.itemText(place) for place in range(section.images.count())]
    assert offered == ["the current image", "all 2 open images", "Choose a folder…"]
    section.images.setCurrentIndex(1)
    assert [source.title for source in section.chosen_images()] == ["other", "steel"]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "alloys"))
    section.images.setCurrentIndex(2)
    section.images.activated.emit(2)
    assert section.images.currentText() == "folder alloys"
    assert section.chosen_images() == tmp_path / "alloys"
    assert section.name.text() == "alloys-adapted"
