"""The natural-image benchmarks of the published tables, in the folders they come in.

Nothing is downloaded. Each function finds the files of one set and says what it expected where something is missing.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import LabelError

IGNORED = 255


@dataclass(frozen=True)
class Pair:
    """An image file and its mask file."""

    image: Path
    mask: Path


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A semantic segmentation set with its published split.

    Attributes
    ----------
    name : str
    classes : int
        Masks hold 0 to ``classes - 1`` after `lookup`.
    ignore : int
        Value of pixels that do not count: 255, or 0 in ADE20K, whose mean over 151 classes thus holds one that is
        always 0.
    train, val : tuple of Pair
    lookup : (256,) uint8 or None
        Class of each value stored in the mask files; None where they hold classes already.
    holds : {"classes", "masks", "boxes"}
        What the mask files are: classes of all pixels, an object against the background, or boxes of objects.
    """

    name: str
    classes: int
    ignore: int
    train: tuple[Pair, ...]
    val: tuple[Pair, ...]
    lookup: NDArray[np.uint8] | None = None
    holds: str = "classes"


def voc(root: Path) -> Benchmark:
    """PASCAL VOC 2012, 21 classes: ``trainaug`` (the 10,582 masks with those of Hariharan et al.) and ``val``.

    Either ``JPEGImages``, ``ImageSets/Segmentation/*.txt`` or ``images``, ``sets/*.txt``, with masks in
    ``SegmentationClassAug`` and ``SegmentationClass``.
    """
    images = _first_folder(root, "JPEGImages", "images")
    lists = _first_folder(root, "ImageSets/Segmentation", "sets")

    def pairs(split: str, masks: str) -> tuple[Pair, ...]:
        names = _file(lists / f"{split}.txt").read_text().split()
        return tuple(_pair(images / f"{name}.jpg", root / masks / f"{name}.png") for name in names)

    return Benchmark("voc", 21, IGNORED, pairs("trainaug", "SegmentationClassAug"), pairs("val", "SegmentationClass"))


def ade20k(root: Path) -> Benchmark:
    """ADE20K scene parsing, 151 values of which 0 is ignored: ``images`` and ``annotations``, each with two splits."""

    def pairs(split: str) -> tuple[Pair, ...]:
        masks = root / "annotations" / split
        return tuple(_pair(image, masks / f"{image.stem}.png") for image in _listed(root / "images" / split, "*.jpg"))

    return Benchmark("ade20k", 151, 0, pairs("training"), pairs("validation"))


def cityscapes(root: Path) -> Benchmark:
    """Cityscapes, the 19 evaluated classes: ``leftImg8bit`` and ``gtFine`` (the ``labelIds`` files)."""
    evaluated = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]

    def pairs(split: str) -> tuple[Pair, ...]:
        images = _listed(root / "leftImg8bit" / split, "*/*_leftImg8bit.png")
        masks = root / "gtFine" / split
        return tuple(
            _pair(image, masks / image.parent.name / image.name.replace("leftImg8bit", "gtFine_labelIds"))
            for image in images
        )

    lookup = _lookup(dict(zip(evaluated, range(19), strict=True)))
    return Benchmark("cityscapes", 19, IGNORED, pairs("train"), pairs("val"), lookup)


def coco_stuff(root: Path) -> Benchmark:
    """COCO-Stuff as in the tables of Leopart and NeCo: 15 super-categories of stuff, a tenth of ``train2017``.

    ``images/{train,val}2017``, ``annotations/stuff_annotations/stuff_val2017.json`` and
    ``annotations/stuff_annotations/stuff_{train,val}2017_pixelmaps``.
    """
    folder = root / "annotations" / "stuff_annotations"
    categories = json.loads(_file(folder / "stuff_val2017.json").read_text())["categories"]
    lookup = _super_categories(category for category in categories if category["supercategory"] != "other")
    return _coco("coco-stuff", 15, root, lookup, lambda split: folder / f"stuff_{split}_pixelmaps")


def coco_things(root: Path) -> Benchmark:
    """COCO-Things as in the tables of Leopart and NeCo: 12 super-categories of things, a tenth of ``train2017``.

    ``images/{train,val}2017``, ``annotations/panoptic_annotations/panoptic_val2017.json`` and category numbers per
    pixel in ``annotations/{train,val}2017``.
    """
    listing = root / "annotations" / "panoptic_annotations" / "panoptic_val2017.json"
    categories = json.loads(_file(listing).read_text())["categories"]
    lookup = _super_categories(category for category in categories if category["isthing"] == 1)
    return _coco("coco-things", 12, root, lookup, lambda split: root / "annotations" / split)


def coco_stuff_27(root: Path) -> Benchmark:
    """COCO-Stuff in 27 super-categories, 12 of things and 15 of stuff, as FeatUp's linear probe has them.

    ``images/{train,val}2017``, ``stuffthingmaps/{train,val}2017`` (category number less one per pixel), and the two
    listings of ``coco-stuff`` and ``coco-things``.
    """
    folder = root / "annotations"
    stuff = json.loads(_file(folder / "stuff_annotations" / "stuff_val2017.json").read_text())["categories"]
    things = json.loads(_file(folder / "panoptic_annotations" / "panoptic_val2017.json").read_text())["categories"]
    groups = {c["id"] - 1: f"thing {c['supercategory']}" for c in things if c["isthing"] == 1}
    groups |= {c["id"] - 1: f"stuff {c['supercategory']}" for c in stuff if c["supercategory"] != "other"}
    order = {group: i for i, group in enumerate(sorted(set(groups.values())))}
    lookup = _lookup({number: order[group] for number, group in groups.items()})

    def pairs(split: str) -> tuple[Pair, ...]:
        masks = root / "stuffthingmaps" / split
        return tuple(_pair(image, masks / f"{image.stem}.png") for image in _listed(root / "images" / split, "*.jpg"))

    return Benchmark("coco-stuff-27", len(order), IGNORED, pairs("train2017"), pairs("val2017"), lookup)


def duts(root: Path) -> Benchmark:
    """DUTS, the test split of 5,019 salient objects: ``DUTS-TE/DUTS-TE-Image``, ``DUTS-TE/DUTS-TE-Mask``."""
    masks = root / "DUTS-TE" / "DUTS-TE-Mask"
    images = _listed(root / "DUTS-TE" / "DUTS-TE-Image", "*.jpg")
    val = tuple(_pair(image, masks / f"{image.stem}.png") for image in images)
    return Benchmark("duts", 2, IGNORED, (), val, _halves(), "masks")


def cub(root: Path) -> Benchmark:
    """CUB-200-2011, the birds of the test split.

    ``images.txt``, ``train_test_split.txt``, ``images/CLASS/*.jpg``, ``segmentations/CLASS/*.png``.
    """
    names = dict(line.split() for line in _file(root / "images.txt").read_text().splitlines())
    splits = dict(line.split() for line in _file(root / "train_test_split.txt").read_text().splitlines())
    tested = [name for number, name in names.items() if splits.get(number) == "0"]
    masks = root / "segmentations"
    val = tuple(_pair(root / "images" / name, (masks / name).with_suffix(".png")) for name in tested)
    return Benchmark("cub", 2, IGNORED, (), val, _halves(), "masks")


def voc_boxes(root: Path) -> Benchmark:
    """PASCAL VOC 2007 or 2012, ``trainval``: ``JPEGImages``, ``Annotations``, ``ImageSets/Main/trainval.txt``."""
    names = _file(root / "ImageSets" / "Main" / "trainval.txt").read_text().split()
    val = tuple(_pair(root / "JPEGImages" / f"{name}.jpg", root / "Annotations" / f"{name}.xml") for name in names)
    return Benchmark("voc-boxes", 20, IGNORED, (), val, holds="boxes")


BENCHMARKS: dict[str, Callable[[Path], Benchmark]] = {
    "voc": voc,
    "ade20k": ade20k,
    "cityscapes": cityscapes,
    "coco-stuff": coco_stuff,
    "coco-things": coco_things,
    "coco-stuff-27": coco_stuff_27,
    "duts": duts,
    "cub": cub,
    "voc-boxes": voc_boxes,
}


def read_benchmark(name: str, root: str | Path) -> Benchmark:
    """Find the files of a benchmark by name.

    Parameters
    ----------
    name : str
        One of BENCHMARKS.
    root : path
        Its folder; see the functions of this module for the layouts.

    Raises
    ------
    LabelError
        The name is unknown, or a file or folder is missing.

    Examples
    --------
    >>> read_benchmark("voc", "nowhere")
    Traceback (most recent call last):
    ...
    patchfield.errors.LabelError: nowhere has no folder JPEGImages or images: the layouts are in docs/evaluation.md.
    """
    if name not in BENCHMARKS:
        raise LabelError(f"there is no benchmark '{name}': choose one of {', '.join(BENCHMARKS)}.")
    return BENCHMARKS[name](Path(root))


def _coco(
    name: str, classes: int, root: Path, lookup: NDArray[np.uint8], masks: Callable[[str], Path], seed: int = 400
) -> Benchmark:
    def pairs(split: str) -> tuple[Pair, ...]:
        images = _listed(root / "images" / split, "*.jpg")
        return tuple(_pair(image, masks(split) / f"{image.stem}.png") for image in images)

    train = pairs("train2017")
    tenth = np.random.default_rng(seed).permutation(len(train))[: max(1, len(train) // 10)]
    return Benchmark(name, classes, IGNORED, tuple(train[i] for i in sorted(tenth)), pairs("val2017"), lookup)


def _super_categories(categories: Iterable[dict[str, object]]) -> NDArray[np.uint8]:
    """Lookup from category number to super-category, these in alphabetical order."""
    groups = {int(str(category["id"])): str(category["supercategory"]) for category in categories}
    order = {group: i for i, group in enumerate(sorted(set(groups.values())))}
    return _lookup({number: order[group] for number, group in groups.items()})


def _lookup(classes: dict[int, int]) -> NDArray[np.uint8]:
    table = np.full(256, IGNORED, np.uint8)
    for value, number in classes.items():
        table[value] = number
    return table


def _halves() -> NDArray[np.uint8]:
    """Masks that are grey at their borders: the object is what is brighter than half."""
    return (np.arange(256) > 127).astype(np.uint8)


def _pair(image: Path, mask: Path) -> Pair:
    return Pair(_file(image), _file(mask))


def _file(path: Path) -> Path:
    if not path.is_file():
        raise LabelError(f"{path} is missing: the layout of each benchmark's folder is in docs/evaluation.md.")
    return path


def _listed(folder: Path, pattern: str) -> list[Path]:
    files = sorted(folder.glob(pattern))
    if not files:
        raise LabelError(
            f"{folder} holds no {pattern}: the layout of each benchmark's folder is in docs/evaluation.md."
        )
    return files


def _first_folder(root: Path, *names: str) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise LabelError(f"{root} has no folder {' or '.join(names)}: the layouts are in docs/evaluation.md.")
