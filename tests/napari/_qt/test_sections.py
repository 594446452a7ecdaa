"""The sections, real widgets on a viewer model: what is chosen in them happens, and what is shown is so."""

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QComboBox, QFileDialog, QMessageBox, QPushButton, QWidget

from patchfield.backbones import export_checkpoint, random_vit
from patchfield.errors import FieldError
from patchfield.field import FeatureRecipe
from patchfield.images import ImageSettings
from patchfield.napari._qt.asking import FolderDialog, ask
from patchfield.napari._qt.cards import StatusCard
from patchfield.napari._qt.notices import notify
from patchfield.napari._qt.sections.classes import ClassesSection
from patchfield.napari._qt.sections.features import FeaturesSection
from patchfield.napari._qt.sections.files import FilesBar
from patchfield.napari._qt.sections.images import Channels, ImagesSection
from patchfield.napari._qt.sections.segment import SegmentSection
from patchfield.napari._qt.sections.view import ViewSection
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.napari.session.questions import Question
from patchfield.napari.session.view import Show

pytestmark = pytest.mark.gui


@pytest.fixture
def small(viewer: ViewerModel, two_phases, qapp) -> Controller:
    """A controller that computes fast, with an image."""
    controller = Controller(viewer, InlineRunner(), FeatureRecipe("filters", "fast"))
    viewer.add_image(two_phases(), name="steel")
    return controller


def choose(box: QComboBox, wanted: object) -> None:
    """As a user does: by its text or by its data."""
    index = box.findText(wanted) if isinstance(wanted, str) else -1
    if index < 0:
        index = next(i for i in range(box.count()) if box.itemData(i) == wanted)
    box.setCurrentIndex(index)
    box.activated.emit(index)


def test_an_image_and_its_contrast_are_chosen(small, viewer, two_phases):
    other = viewer.add_image(two_phases(seed=1).astype(np.uint16), name="other")
    section = ImagesSection(small)
    section.list.clicked.emit(section.list.model().index(1))
    assert small.current.source.layer is other
    assert section.description.text().startswith("grey · uint16")
    choose(section.contrast, "darkest to brightest")
    assert small.current.source.settings == ImageSettings("minmax")
    other.contrast_limits = (20, 90)
    choose(section.contrast, "as displayed")
    assert small.current.source.settings.contrast == (20, 90)
    assert section.contrast.currentText() == "as displayed (20 to 90)"
    small.select(viewer.layers["steel"])
    assert section.contrast.currentText() == "automatic", "each image has its own"


def test_strokes_do_not_move_the_switch(small, monkeypatch):
    """Each frame of its movement would compose the whole window anew, and a stroke would wait for ten of them."""
    section = SegmentSection(small)
    moved: list[bool] = []
    monkeypatch.setattr(section.live, "setChecked", moved.append)
    section.show_status(small.status)
    assert not moved
    small.live.following = False
    section.show_status(small.status)
    assert moved == [False]


def test_borders_follow_the_image_where_tokens_are_coarse(small, tmp_path, monkeypatch):
    monkeypatch.setenv("PATCHFIELD_WEIGHTS", str(tmp_path))
    vit = random_vit("vit_tiny_patch16_224", depth=1, embed_dim=32, num_heads=2, device="cpu")
    export_checkpoint(tmp_path / "tiny.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    section = FeaturesSection(small)
    assert section.borders.isHidden(), "the filter bank has fine grids"
    small.make_features([FeatureRecipe("tiny", "fast"), FeatureRecipe("filters", "fast")])
    assert not section.borders.isHidden()
    section.guided.click()
    assert [recipe.interpolation for recipe in small.features.recipes] == ["guided", "bilinear"]
    assert small.target().field.blocks[0].guide is not None
    section.guided.click()
    assert [recipe.interpolation for recipe in small.features.recipes] == ["bilinear", "bilinear"]
    assert small.target().field.blocks[0].guide is None


def test_axes_are_asked_for_and_channels_chosen(small, viewer, two_phases):
    image = np.stack([two_phases(seed=seed) for seed in range(3)])
    small.select(viewer.add_image(image, name="three"))
    section = ImagesSection(small)
    assert section.channels.isHidden()
    choose(section.axes, "channels first")
    assert small.current.source.settings == ImageSettings(axes="CYX")
    assert [section.channels.itemData(i) for i in range(3)] == [Channels.ALL, Channels.ONE, Channels.THREE]
    choose(section.channels, Channels.ONE)
    choose(section.picks[0], "channel 2")
    assert small.current.source.settings.channels == (2,)
    assert section.picks[1].isHidden()
    choose(section.channels, Channels.THREE)
    choose(section.picks[2], "channel 0")
    assert small.current.source.settings.channels == (2, 1, 0)
    assert [pick.currentText() for pick in section.picks] == ["channel 2", "channel 1", "channel 0"]
    choose(section.channels, Channels.ALL)
    assert small.current.source.settings == ImageSettings(axes="CYX")
    choose(section.axes, "planes")
    assert small.current.source.lengths == (3,)


def test_layers_are_joined_as_colours(small, viewer, two_phases):
    viewer.add_image(two_phases(seed=2), name="another of its size")
    viewer.add_image(two_phases(seed=1), name="green", blending="additive")
    small.select(viewer.layers["steel"])
    section = ImagesSection(small)
    assert section.picks[0].findText("another of its size") < 0
    choose(section.channels, Channels.LAYERS)
    choose(section.picks[0], "steel")
    choose(section.picks[1], "green")
    assert [part.title for part in small.current.source.joined][:2] == ["steel", "green"]
    assert section.description.text().startswith("3 layers")
    choose(section.channels, Channels.ALL)
    assert not small.current.source.joined


def test_a_backbone_is_chosen_by_name_or_opened_from_a_file(small, tmp_path, monkeypatch):
    section = FeaturesSection(small)
    choose(section.backbones, section.backbones.itemData(0))
    assert small.features.recipes[0].backbone == section.backbones.itemData(0).backbone
    vit = random_vit("vit_tiny_patch16_224", depth=1, img_size=64, embed_dim=64, num_heads=2, device="cpu")
    export_checkpoint(tmp_path / "mine.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    answers = [("", ""), (str(tmp_path / "mine.safetensors"), "")]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: answers.pop(0))
    before = small.features.recipes
    choose(section.backbones, section.backbones.itemText(section.backbones.count() - 1))
    assert small.features.recipes == before, "cancelled"
    choose(section.backbones, section.backbones.itemText(section.backbones.count() - 1))
    assert small.features.recipes[0].backbone == str(tmp_path / "mine.safetensors")
    assert section.backbones.currentText() == "mine.safetensors"
    choose(section.detail, "balanced")
    assert small.features.recipes[0].sampling == "balanced"


def test_views_are_chosen_from_one_list(small, qtbot):
    section = ViewSection(small)
    for show in (Show.PCA, Show.CLUSTERS, Show.FOREGROUND):
        qtbot.mouseClick(section.buttons[show], Qt.MouseButton.LeftButton)
        assert small.shown.layer.visible
        assert [of for of, button in section.buttons.items() if button.isChecked()] == [show]
    section.opacity.setValue(20)
    assert small.shown.opacity == pytest.approx(0.2)
    section.threshold.setValue(90)
    assert small.explorer.threshold == pytest.approx(0.9)
    qtbot.mouseClick(section.buttons[Show.CLUSTERS], Qt.MouseButton.LeftButton)
    section.groups.setValue(7)
    assert (small.explorer.groups, section.number.value(), section.automatic.isChecked()) == (7, 7, False)
    section.automatic.click()
    assert small.explorer.automatic
    section.adopt.click()
    assert small.classes.painted > 1
    assert section.buttons[Show.SEGMENTATION].isChecked()
    assert not section.buttons[Show.ATTENTION].isEnabled()


def test_attention_is_offered_as_soon_as_there_is_some_and_its_heads_are_chosen(small, tmp_path):
    section = ViewSection(small)
    vit = random_vit("vit_tiny_patch16_224", depth=1, img_size=64, embed_dim=64, num_heads=2, device="cpu")
    export_checkpoint(tmp_path / "vit.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    small.make_features(FeatureRecipe(str(tmp_path / "vit.safetensors"), "fast"))
    assert section.buttons[Show.ATTENTION].isEnabled()
    section.buttons[Show.ATTENTION].click()
    mean = small.current.result(Role.ATTENTION).data.copy()
    section.head.setValue(2)
    assert (small.current.result(Role.ATTENTION).data != mean).any()


def test_rows_of_classes_stay_while_their_class_does(small):
    section = ClassesSection(small)
    first, second = section.shown
    small.classes.rename(2, "pore")
    small.add_class()
    assert section.shown[:2] == [first, second]
    assert second.name.text() == "pore"
    small.remove_class(1)
    assert section.shown[0] is second
    assert second.key.text() == "⇧Q", "keys go by the order"


def test_the_card_stops_and_resumes(viewer, two_phases, stepped, qapp):
    controller = Controller(viewer, stepped, FeatureRecipe("filters", "fast"))
    card = StatusCard(controller)
    viewer.add_image(two_phases())
    assert card.button.text() == "Stop"
    card.button.click()
    stepped.run()
    assert card.button.text() == "Compute"
    card.button.click()
    stepped.run()
    assert card.button.isHidden()


def test_files_are_asked_for_where_the_image_lies_and_a_cancelled_dialog_does_nothing(
    small, paint_both, tmp_path, monkeypatch
):
    paint_both(small)
    bar, asked = FilesBar(small), []
    answers = ["", str(tmp_path / "labels.tif")]

    def answer(parent, title, suggested, kinds):
        asked.append(Path(suggested).name)
        return answers.pop(0), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    save = next(button for button in bar.findChildren(QPushButton) if button.text() == "Save")
    strokes = next(action for action in save.menu().actions() if action.text().startswith("Labels"))
    strokes.trigger()
    assert not list(tmp_path.iterdir())
    strokes.trigger()
    assert (tmp_path / "labels.tif").is_file()
    assert asked == ["steel_labels.tif", "steel_labels.tif"]


def test_results_are_named_after_the_image_and_end_as_was_chosen(small, paint_both, monkeypatch, tmp_path):
    paint_both(small)
    bar, offered = FilesBar(small), []

    def answer(parent, title, suggested, kinds):
        offered.append((Path(suggested), kinds.split(";;")))
        return str(tmp_path / f"results.{len(offered)}"), kinds.split(";;")[-1]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    for action in bar.save.menu().actions()[:5]:
        action.trigger()
    assert [path.name for path, _ in offered] == [
        "steel.probe",
        "steel_segmentation.tif",
        "steel_probability.tif",
        "steel_areas.csv",
        "steel_labels.tif",
    ]
    assert offered[2][0].parent == tmp_path, "where something was saved last"
    assert not any("png" in kind for kind in offered[2][1]), "a PNG holds one map"
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["results.1.probe", "results.2.png", "results.3.ome.zarr", "results.4.csv", "results.5.png"]
    small.viewer.add_image(np.zeros((3, 32, 32), np.uint8))
    bar.save.menu().actions()[1].trigger()
    assert not any("png" in kind for kind in offered[-1][1]), "a PNG holds one plane"


def test_a_folder_is_segmented_and_its_command_line_copied(small, two_phases, paint_both, tmp_path):
    paint_both(small)
    Image.fromarray(two_phases(seed=2)).save(tmp_path / "scan.png")
    bar = FilesBar(small)
    bar.apply.menu().actions()[2].trigger()
    dialog = bar.findChild(FolderDialog)
    dialog.images.setText("")
    assert not dialog.begin.isEnabled()
    dialog.images.setText(str(tmp_path))
    dialog.output.setText(str(tmp_path / "out"))
    dialog.probabilities.setChecked(True)
    choose(dialog.file_format, "ome-zarr")
    dialog.copy.click()
    command = QApplication.clipboard().text()
    assert command == dialog.order.command == dialog.command.text()
    assert "--format ome-zarr --probabilities" in command
    dialog.begin.click()
    assert (tmp_path / "out" / "scan_probability.ome.zarr").is_dir()
    assert notification_manager.records[-1].message.startswith("1 image segmented")


@pytest.mark.parametrize(("answer", "called"), [("Use this probe", [True]), ("Keep what is here", [])])
def test_a_question_is_answered_by_its_buttons(qtbot, answer, called):
    parent, done = QWidget(), []
    qtbot.addWidget(parent)
    ask(parent, Question("What?", ("This.",), "Use this probe", "Keep what is here"), lambda: done.append(True))
    box = parent.findChild(QMessageBox)
    next(button for button in box.buttons() if button.text() == answer).click()
    assert done == called


def test_a_refusal_is_a_sentence_and_a_defect_keeps_its_traceback(qapp):
    before = len(notification_manager.records)
    notify(FieldError("One sentence."))
    notify(KeyError("a defect"))
    refusal, defect = notification_manager.records[before:]
    assert refusal.message == "One sentence."
    assert "KeyError" in defect.as_text() if hasattr(defect, "as_text") else "a defect" in defect.message
