"""Small folders in the layouts of the benchmarks."""

import json

import numpy as np
import pytest
from PIL import Image

from patchfield.testing.backbones import PatchColours

COLOURS = np.array([[250, 30, 30], [30, 250, 30], [30, 30, 250]], np.uint8)


@pytest.fixture
def backbone():
    return PatchColours()


@pytest.fixture
def write_pair():
    """Writes an image of three coloured bands and the mask whose values of the bands are given."""

    def write(image, mask, values, seed=0, ignore=None):
        bands = np.repeat(np.random.default_rng(seed).permutation(3), [20, 28, 22])[:, None] * np.ones((1, 90), int)
        labels = np.array(values, np.uint8)[bands]
        if ignore is not None:
            labels[:, :5] = ignore
        for path, pixels in ((image, COLOURS[bands]), (mask, labels)):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, quality=95)

    return write


@pytest.fixture
def voc_root(tmp_path, write_pair):
    """Six training and three validation images; classes 0, 5 and 20, a border of 255; the masks have a palette."""
    names = {"trainaug": [f"t{i}" for i in range(6)], "val": [f"v{i}" for i in range(3)]}
    for (split, listed), folder in zip(names.items(), ("SegmentationClassAug", "SegmentationClass"), strict=True):
        (tmp_path / "ImageSets" / "Segmentation").mkdir(parents=True, exist_ok=True)
        (tmp_path / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(listed) + "\n")
        for seed, name in enumerate(listed):
            mask = tmp_path / folder / f"{name}.png"
            write_pair(tmp_path / "JPEGImages" / f"{name}.jpg", mask, [0, 5, 20], seed, ignore=255)
            with Image.open(mask) as plain:
                coloured = plain.convert("L").copy()
            coloured.putpalette(list(range(255, -1, -1)) * 3)
            coloured.save(mask)
    return tmp_path


@pytest.fixture
def coco_root(tmp_path, write_pair):
    """Twenty training images and one for validation, with the stuff and the panoptic listing."""
    stuff = [(92, "textile"), (94, "plant"), (95, "building"), (183, "other")]
    things = [(1, "person", 1), (3, "vehicle", 1), (17, "animal", 1), (92, "textile", 0)]
    annotations = tmp_path / "annotations"
    listings = {
        "stuff_annotations/stuff_val2017.json": [{"id": i, "supercategory": group} for i, group in stuff],
        "panoptic_annotations/panoptic_val2017.json": [
            {"id": i, "supercategory": group, "isthing": thing} for i, group, thing in things
        ],
    }
    for name, categories in listings.items():
        (annotations / name).parent.mkdir(parents=True, exist_ok=True)
        (annotations / name).write_text(json.dumps({"categories": categories}))
    for split, count in (("train2017", 20), ("val2017", 1)):
        for i in range(count):
            image = tmp_path / "images" / split / f"{i:012}.jpg"
            stuff_mask = annotations / "stuff_annotations" / f"stuff_{split}_pixelmaps" / f"{i:012}.png"
            write_pair(image, stuff_mask, [94, 183, 0], seed=i)
            write_pair(image, annotations / split / f"{i:012}.png", [3, 17, 92], seed=i)
    return tmp_path
