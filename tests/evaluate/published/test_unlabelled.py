"""HR-Dv2's evaluations on small folders in the published layouts, with a transformer of random weights."""

import numpy as np
import pytest
from PIL import Image

from patchfield.backbones import random_vit
from patchfield.errors import BackboneError, LabelError
from patchfield.evaluate.published import (
    ForegroundSegmentation,
    LinearSegmentation,
    Localisation,
    Overclustering,
    read_benchmark,
)
from patchfield.evaluate.published.unlabelled import boxes_of
from patchfield.evaluate.report import repeat_table
from patchfield.explore import attention_field
from patchfield.explore.objects import attended_objects, object_boxes
from patchfield.pipeline import Extractor

ONE_VIEW = {"clusters": 8, "shifts": 0}


@pytest.fixture(scope="module")
def vit():
    return random_vit("vit_tiny_patch16_224", depth=1, img_size=64, embed_dim=48, num_heads=2, device="cpu")


@pytest.fixture
def write():
    def write_image(path, seed=0):
        """A textured square on a flat ground."""
        pixels = np.full((80, 96, 3), 90, np.uint8)
        pixels[20:60, 30:70] = np.random.default_rng(seed).integers(0, 255, (40, 40, 3))
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=95)

    return write_image


def looked_at(vit, image):
    with Image.open(image) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    field = Extractor.from_backbone(vit, "fast").field(pixels)
    return attended_objects(field, attention_field(pixels, field, vit), 8)


def xml(boxes):
    parts = [
        f"<xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
        for top, left, bottom, right in boxes
    ]
    objects = "".join(f"<object><bndbox>{part}</bndbox></object>" for part in parts)
    return f"<annotation>{objects}</annotation>"


def test_foreground_is_scored_on_duts_and_cub(tmp_path, vit, write):
    write(tmp_path / "DUTS-TE" / "DUTS-TE-Image" / "a.jpg")
    found = looked_at(vit, tmp_path / "DUTS-TE" / "DUTS-TE-Image" / "a.jpg").foreground
    assert 0 < found.mean() < 1
    truth = found.copy()
    truth[:40] = False
    mask = tmp_path / "DUTS-TE" / "DUTS-TE-Mask" / "a.png"
    mask.parent.mkdir(parents=True)
    Image.fromarray(np.where(truth, 200, 100).astype(np.uint8)).save(mask)
    result = ForegroundSegmentation(**ONE_VIEW)(vit, read_benchmark("duts", tmp_path))
    assert result.figures() == {"IoU, mean over images": pytest.approx(truth.sum() / found.sum()), "images": 1}

    for number, (name, tested) in enumerate({"001.A/a.jpg": 1, "001.A/b.jpg": 0}.items(), start=1):
        write(tmp_path / "images" / name)
        mask = (tmp_path / "segmentations" / name).with_suffix(".png")
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(found.astype(np.uint8) * 255).save(mask)
        for listing, value in (("images.txt", name), ("train_test_split.txt", tested)):
            with (tmp_path / listing).open("a") as file:
                file.write(f"{number} {value}\n")
    assert ForegroundSegmentation(**ONE_VIEW)(vit, read_benchmark("cub", tmp_path)).iou_of_images == (1.0,)


def test_an_object_is_found_where_a_box_meets_it(tmp_path, vit, write):
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "trainval.txt").write_text("a\nb\n")
    (tmp_path / "Annotations").mkdir()
    for name in "ab":
        write(tmp_path / "JPEGImages" / f"{name}.jpg")
    boxes = object_boxes(looked_at(vit, tmp_path / "JPEGImages" / "a.jpg"))
    (tmp_path / "Annotations" / "a.xml").write_text(xml([(0, 0, 2, 2), boxes[0]]))
    (tmp_path / "Annotations" / "b.xml").write_text(xml([(0, 0, 2, 2)]))
    benchmark = read_benchmark("voc-boxes", tmp_path)
    assert boxes_of(benchmark.val[0]) == [(0, 0, 2, 2), boxes[0]]
    result = Localisation(**ONE_VIEW)(vit, benchmark)
    assert result.found == (True, False)
    assert result.figures()["CorLoc"] == 0.5
    assert result.boxes_per_image == len(boxes)
    assert Localisation(**ONE_VIEW, single=1)(vit, benchmark).boxes_per_image == 1
    (tmp_path / "Annotations" / "b.xml").write_text("<annotation>")
    with pytest.raises(LabelError, match=r"b\.xml"):
        Localisation(**ONE_VIEW)(vit, benchmark)


def test_things_and_stuff_are_27_classes_at_most(coco_root, write_pair, backbone):
    for split, count in (("train2017", 20), ("val2017", 1)):
        for i in range(count):
            mask = coco_root / "stuffthingmaps" / split / f"{i:012}.png"
            write_pair(coco_root / "images" / split / f"{i:012}.jpg", mask, [0, 2, 93], seed=i)
    benchmark = read_benchmark("coco-stuff-27", coco_root)
    assert benchmark.classes == 3 + 3, "of the miniature listings"
    assert len(benchmark.train) == 20
    classes = benchmark.lookup[[0, 2, 93, 182, 255]]
    assert len(set(classes[:3].tolist())) == 3
    assert classes[:3].max() < 6
    assert classes[3:].tolist() == [255, 255]
    adam = LinearSegmentation(size=64, mask=32, epochs=6, batch=5, learning_rate=0.05, adam=1)
    assert adam(backbone, benchmark).last > 0.8 * 3 / 6


def test_a_protocol_refuses_what_it_cannot_score(voc_root, vit, backbone):
    voc = read_benchmark("voc", voc_root)
    with pytest.raises(LabelError, match="needs boxes"):
        repeat_table(Localisation(), {"vit": vit}, voc)
    with pytest.raises(BackboneError, match="no attention"):
        ForegroundSegmentation()._look(backbone, voc.val[0])
    assert Overclustering.needs == voc.holds
