import numpy as np
import pytest

from patchfield.errors import LabelError
from patchfield.evaluate.published import read_benchmark
from patchfield.evaluate.published.crops import Crops, squashed


def values_of(benchmark, pairs=None):
    crops = Crops(pairs or benchmark.val, benchmark, squashed(70))
    return np.unique(np.concatenate([crops[i][1].numpy().ravel() for i in range(len(crops))])).tolist()


def test_voc_reads_palette_indices(voc_root):
    voc = read_benchmark("voc", voc_root)
    assert (voc.classes, voc.ignore, len(voc.train), len(voc.val)) == (21, 255, 6, 3)
    assert values_of(voc) == [0, 5, 20, 255]
    assert voc.train[0].mask.parent.name == "SegmentationClassAug"
    assert voc.val[0].mask.parent.name == "SegmentationClass"


def test_voc_in_the_layout_of_the_published_code(voc_root):
    (voc_root / "JPEGImages").rename(voc_root / "images")
    (voc_root / "ImageSets" / "Segmentation").rename(voc_root / "sets")
    assert len(read_benchmark("voc", voc_root).train) == 6


def test_ade20k_ignores_zero(tmp_path, write_pair):
    for split in ("training", "validation"):
        write_pair(
            tmp_path / "images" / split / "a.jpg", tmp_path / "annotations" / split / "a.png", [0, 1, 150], ignore=0
        )
    ade = read_benchmark("ade20k", tmp_path)
    assert (ade.classes, ade.ignore) == (151, 0)
    assert values_of(ade) == [0, 1, 150]


def test_cityscapes_keeps_the_evaluated_classes(tmp_path, write_pair):
    for split in ("train", "val"):
        image = tmp_path / "leftImg8bit" / split / "town" / "town_000_leftImg8bit.png"
        mask = tmp_path / "gtFine" / split / "town" / "town_000_gtFine_labelIds.png"
        write_pair(image, mask, [7, 33, 10])
    cityscapes = read_benchmark("cityscapes", tmp_path)
    assert cityscapes.classes == 19
    assert values_of(cityscapes) == [0, 18, 255]


def test_coco_groups_super_categories_alphabetically(coco_root):
    stuff, things = (read_benchmark(name, coco_root) for name in ("coco-stuff", "coco-things"))
    assert (len(stuff.train), len(stuff.val)) == (2, 1)
    assert (stuff.classes, things.classes) == (15, 12)
    assert values_of(stuff) == [1, 255]  # building, plant, textile; "other" and things are ignored
    assert values_of(things) == [0, 2, 255]  # animal, person, vehicle; stuff is ignored


def test_the_tenth_of_coco_is_always_the_same(coco_root):
    assert read_benchmark("coco-stuff", coco_root).train == read_benchmark("coco-stuff", coco_root).train


def test_crops_squash_images_and_masks_alike(voc_root):
    voc = read_benchmark("voc", voc_root)
    image, mask = Crops(voc.val, voc, squashed(40))[0]
    assert image.shape == (3, 40, 40)
    assert mask.shape == (40, 40)
    assert 0 <= image.min() < image.max() <= 1
    colour = image.argmax(0).numpy()
    for value in (0, 5, 20):
        inside = (mask == value).numpy()
        assert np.mean(colour[inside] == np.bincount(colour[inside]).argmax()) > 0.9


def test_what_is_missing_is_named(voc_root, tmp_path):
    with pytest.raises(LabelError, match="choose one of voc"):
        read_benchmark("imagenet", tmp_path)
    with pytest.raises(LabelError, match="no folder JPEGImages or images"):
        read_benchmark("voc", tmp_path / "nowhere")
    (voc_root / "SegmentationClass" / "v1.png").unlink()
    with pytest.raises(LabelError, match=r"v1\.png is missing"):
        read_benchmark("voc", voc_root)
