"""Masks and labels that lie among images are never trained on, whatever the layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchfield.errors import ImageError
from training.data.collection import find_images

LAYOUTS = {
    "beside": ("image_1.png", ["mask_1.png", "strokes_1.png"]),
    "set by set": ("steel/image_1.png", ["steel/mask_1.png", "steel/scribble_1.png"]),
    "folders": ("images/1.png", ["masks/1.png", "strokes/1.png", "labels/1.png"]),
    "deeper": ("data/steel/images/1.png", ["data/steel/masks/old/1.png", "data/steel/Annotations/v2/1.png"]),
    "split": ("train/1.png", ["train_masks/1.png", "labels_test/1.png", "ground-truth/1.png"]),
    "endings": ("a.png", ["a_mask.png", "a-labels.png", "a_gt.png", "a_segmentation.png", "a_pca.png"]),
    "only called alike": ("scribbles_steel/unmasked_labelled.png", []),
}


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_are_left_aside(layout, tmp_path):
    root = tmp_path / "masks" / "of the lab"
    image, beside = LAYOUTS[layout]
    write(root / image)
    for name in beside:
        write(root / name)
    images, labels = find_images(root)
    assert images == [root / image]
    assert labels == sorted(root / name for name in beside)


def test_a_file_is_an_image_when_it_is_given(tmp_path):
    mask = write(tmp_path / "mask_1.png")
    assert find_images(mask) == ([mask], [])
    with pytest.raises(ImageError, match=r"no images in .* but 1 of masks or labels"):
        find_images(tmp_path)


def test_every_file_is_found_once_however_it_is_spelled(tmp_path):
    image = write(tmp_path / "a" / "1.png")
    images, _ = find_images([tmp_path, tmp_path / "a" / ".." / "a", image])
    assert images == [image]
    with pytest.raises(ImageError, match="no images"):
        find_images(tmp_path, excluded=[tmp_path / "a" / ".." / "a" / "1.png"])
