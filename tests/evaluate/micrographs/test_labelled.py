import numpy as np
import pytest
from PIL import Image

from patchfield.errors import LabelError
from patchfield.evaluate.micrographs import labelled_sets, labels_of


def write(path, values=1, shape=(6, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, values, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    """One set with prefixes (three images, one of them only with strokes), one with folders, one of a single image."""
    for name in "cab":
        write(tmp_path / "alloy" / f"image_{name}.png")
        write(tmp_path / "alloy" / f"strokes_{name}.png")
    for name in "ab":
        write(tmp_path / "alloy" / f"mask_{name}.png")
    write(tmp_path / "alloy" / "image_unlabelled.png")
    for name in range(10):
        write(tmp_path / "tissue" / "images" / f"{name}.png")
        write(tmp_path / "tissue" / "masks" / f"{name}.png")
    write(tmp_path / "single" / "image_x.png")
    write(tmp_path / "single" / "mask_x.png")
    return tmp_path


def test_layouts_and_split(folder):
    alloy, tissue = labelled_sets(folder)
    assert (alloy.name, tissue.name) == ("alloy", "tissue")
    assert [image.name for image in alloy.images] == ["a", "b", "c"]
    assert [len(alloy.train), len(alloy.test)] == [1, 2]
    assert [image.name for image in tissue.train] == ["0", "1", "2"]
    assert alloy.test[0].truth.name == "mask_b.png"
    assert alloy.test[1].truth.name == "strokes_c.png"
    assert [image.name for image in labelled_sets(folder, max_images=5)[1].images] == ["0", "2", "4", "6", "8"]
    assert labelled_sets(folder / "alloy") == (alloy,)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_both_sides_have_an_image(folder, share):
    assert all(each.train and each.test for each in labelled_sets(folder, train_share=share))


def test_fingerprint_follows_contents_and_split(folder):
    prints = {labelled_sets(folder)[0].fingerprint(), labelled_sets(folder, train_share=0.7)[0].fingerprint()}
    write(folder / "alloy" / "mask_a.png", values=2)
    prints.add(labelled_sets(folder)[0].fingerprint())
    assert len(prints) == 3


def test_refusals_say_what_to_do(folder, tmp_path):
    with pytest.raises(LabelError, match="not a folder"):
        labelled_sets(tmp_path / "nowhere")
    with pytest.raises(LabelError, match="name them image_NAME"):
        labelled_sets(folder / "single")
    with pytest.raises(LabelError, match="must fit"):
        labels_of(folder / "alloy" / "mask_a.png", (8, 6))


def test_the_reference_sets_are_found(shared):
    sets = {each.name: each for each in labelled_sets(shared / "data", max_images=6)}
    assert len(sets) == 10
    assert [len(sets["nuclei_fluorescence"].train), len(sets["nuclei_fluorescence"].test)] == [2, 4]
    assert all(image.mask and image.strokes for each in sets.values() for image in each.images)
