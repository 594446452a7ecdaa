"""A project comes back as it was saved, wherever its folder goes, and is never half saved."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import patchfield.project as project_module
from patchfield.errors import ImageError, LabelError, ProjectError
from patchfield.images import ImageSettings, write_image, write_labels
from patchfield.probe import ClassInfo
from patchfield.project import Project, ProjectImage
from patchfield.samples import load_sample

CLASSES = {1: ClassInfo("matrix", "#112233"), 2: ClassInfo("lamellar", "#ff8800")}


@pytest.fixture(scope="module")
def alloy():
    return load_sample("alloy")


@pytest.fixture
def project(tmp_path, alloy) -> Project:
    """Two images, the first one painted, in a folder beside the project's."""
    images = []
    for name, corner in {"left": 0, "right": 256}.items():
        window = (slice(0, 256), slice(corner, corner + 256))
        write_image(tmp_path / "images" / f"{name}.tif", alloy.image[window])
        images.append(ProjectImage(tmp_path / "images" / f"{name}.tif", alloy.strokes[window]))
    images[1].labels = None
    return Project(images, ("filters",), "fast", ImageSettings("minmax"), CLASSES)


def test_everything_comes_back(project, tmp_path):
    project.fit()
    before = project.segment(project.images[1])
    project.save(tmp_path / "p")
    loaded = Project.load(tmp_path / "p")
    assert (loaded.backbones, loaded.sampling, loaded.settings) == (("filters",), "fast", ImageSettings("minmax"))
    assert loaded.classes == CLASSES
    assert [image.path for image in loaded.images] == [image.path for image in project.images]
    np.testing.assert_array_equal(loaded.images[0].labels, project.images[0].labels)
    assert loaded.images[1].labels is None
    np.testing.assert_array_equal(loaded.segment(loaded.images[1]), before)


def test_fitting_again_after_loading_gives_the_same_probe(project, tmp_path):
    project.save(tmp_path / "p")
    first, second = project.fit(), Project.load(tmp_path / "p").fit()
    np.testing.assert_allclose(first.weights, second.weights, atol=1e-5)
    assert second.classes == CLASSES


def test_the_segmentation_is_right(project, alloy):
    project.fit()
    segmentation = project.segment(project.images[0])
    assert (segmentation == alloy.mask[:256, :256]).mean() > 0.85


def test_project_and_images_move_together(project, tmp_path):
    project.save(tmp_path / "p")
    (tmp_path / "elsewhere").mkdir()
    for name in ("p", "images"):
        shutil.move(tmp_path / name, tmp_path / "elsewhere" / name)
    assert Project.load(tmp_path / "elsewhere" / "p").missing == []


def test_missing_images_are_listed_and_named_when_needed(project, tmp_path):
    project.save(tmp_path / "p")
    project.images[0].path.unlink()
    loaded = Project.load(tmp_path / "p")
    assert loaded.missing == [project.images[0].path]
    with pytest.raises(ImageError, match=r"left\.tif does not exist"):
        loaded.fit()


def test_a_stack_is_painted_fitted_and_segmented_plane_by_plane(tmp_path):
    foam = load_sample("foam")
    window = slice(4, 7)
    write_labels(tmp_path / "s.tif", foam.image[window])
    project = Project([ProjectImage(tmp_path / "s.tif", foam.strokes[window])], sampling="fast")
    project.fit()
    segmentation = project.segment(project.images[0])
    assert segmentation.shape == (3, 256, 256)
    assert (segmentation == foam.mask[window]).mean() > 0.8
    project.save(tmp_path / "p")
    np.testing.assert_array_equal(Project.load(tmp_path / "p").images[0].labels, foam.strokes[window])


def test_labels_of_another_shape_are_refused_by_name(project):
    project.images[0].labels = np.eye(20, dtype=np.uint8)
    with pytest.raises(LabelError, match=r"left\.tif have shape \(20, 20\)"):
        project.fit()


def test_segmenting_before_fitting_says_what_to_do(project):
    with pytest.raises(ProjectError, match="paint at least two classes"):
        project.segment(project.images[0])


def test_a_failed_save_leaves_the_last_one_whole(project, tmp_path, monkeypatch):
    project.save(tmp_path / "p")
    saved = project.images[0].labels.copy()
    project.images[0].labels = np.where(saved == 1, 2, saved)

    def full_disk(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(project_module.json, "dumps", full_disk)
    with pytest.raises(OSError, match="No space"):
        project.save(tmp_path / "p")
    monkeypatch.undo()
    np.testing.assert_array_equal(Project.load(tmp_path / "p").images[0].labels, saved)


def test_saving_again_removes_outdated_labels_and_nothing_else(project, tmp_path):
    project.save(tmp_path / "p")
    (tmp_path / "p" / "labels" / "mine.tif").touch()
    project.images[0].labels = project.images[0].labels[::-1].copy()
    project.save(tmp_path / "p")
    names = {file.name for file in (tmp_path / "p" / "labels").iterdir()}
    assert len(names) == 2
    assert "mine.tif" in names
    np.testing.assert_array_equal(Project.load(tmp_path / "p").images[0].labels, project.images[0].labels)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (None, "holds no project"),
        ("{", "cannot be read"),
        ("[]", "not a Patchfield project"),
        (json.dumps({"format": "patchfield-project", "version": 99}), "update Patchfield"),
        (json.dumps({"format": "patchfield-project", "version": 1}), "damaged"),
    ],
)
def test_what_is_no_project_gets_one_sentence(tmp_path: Path, document, sentence):
    if document is not None:
        (tmp_path / "project.json").write_text(document)
    with pytest.raises(ProjectError, match=sentence):
        Project.load(tmp_path)
