"""Labelled micrographs on disk: images with masks, strokes, or both beside them, split by image."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from patchfield.errors import LabelError
from patchfield.images import IMAGE_SUFFIXES, read_labels


@dataclass(frozen=True)
class LabelledImage:
    """An image file with its labels; 0 is unlabelled in both kinds.

    Attributes
    ----------
    name : str
    image : Path
    mask : Path or None
        Classes of all pixels.
    strokes : Path or None
        Classes of some pixels, as a person paints them.
    """

    name: str
    image: Path
    mask: Path | None = None
    strokes: Path | None = None

    @property
    def truth(self) -> Path:
        """What segmentations of the image are compared with: the mask, or the strokes where there is no mask."""
        path = self.mask or self.strokes
        if path is None:
            raise LabelError(f"{self.image} has neither a mask nor strokes: add one of them.")
        return path


@dataclass(frozen=True)
class LabelledSet:
    """Images that share their classes.

    Attributes
    ----------
    name : str
    train, test : tuple of LabelledImage
        Images whose labels may be learned from, and images that are only predicted.
    """

    name: str
    train: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]

    @property
    def images(self) -> tuple[LabelledImage, ...]:
        return self.train + self.test

    def fingerprint(self) -> str:
        """Short hash of the contents of all files and of the split."""
        digest = sha256()
        for part in (self.train, self.test):
            digest.update(b"|")
            for labelled in part:
                for path in (labelled.image, labelled.mask, labelled.strokes):
                    digest.update(sha256(path.read_bytes()).digest() if path else b"-")
        return digest.hexdigest()[:16]


def labelled_sets(
    folder: str | Path, train_share: float = 1 / 3, max_images: int | None = None
) -> tuple[LabelledSet, ...]:
    """Find the labelled images of a folder and split each set by image.

    Three layouts are known: ``image_NAME.*`` with ``mask_NAME.*`` and/or ``strokes_NAME.*`` in one folder; folders
    ``images``, ``masks`` and/or ``strokes`` that hold files of equal names; or a folder of folders of either kind, each
    of which is a set with classes of its own.

    Sorted by name, the first third of a set's images is for training and the others for testing. Neighbours in a series
    resemble each other, so a split of whole runs says more about a new image than a random one.

    Parameters
    ----------
    folder : path
    train_share : float
        Share of a set's images to train on; at least one image is trained on and one tested.
    max_images : int, optional
        Of a larger set, only this many images, evenly spaced.

    Returns
    -------
    tuple of LabelledSet
        Ordered by name; sets of a single image are left out, because they cannot be split.

    Raises
    ------
    LabelError
        The folder is missing or holds no set of at least two labelled images.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("image_a", "mask_a", "image_b", "mask_b"):
    ...         Image.new("L", (8, 8), 1).save(Path(folder) / f"{name}.png")
    ...     (labelled,) = labelled_sets(folder)
    >>> [image.name for image in labelled.train], [image.name for image in labelled.test]
    (['a'], ['b'])
    """
    found = labelled_images(folder)
    sets = tuple(_split(name, images, train_share, max_images) for name, images in found.items() if len(images) > 1)
    if not sets:
        raise LabelError(
            f"{folder} holds no set of at least two labelled images: name them image_NAME with mask_NAME or "
            "strokes_NAME beside them, or put files of equal names into folders images, masks and strokes."
        )
    return sets


def labelled_images(folder: str | Path) -> dict[str, list[LabelledImage]]:
    """The labelled images of a folder in the layouts of :func:`labelled_sets`, unsplit, by the name of their set.

    Raises
    ------
    LabelError
        The folder is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise LabelError(f"{folder} is not a folder: give the folder that holds the images and their masks or strokes.")
    candidates = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    found = {path.resolve().name: _images_in(path) for path in candidates}
    return {name: images for name, images in found.items() if images}


def labels_of(path: str | Path, shape: tuple[int, int]) -> NDArray[Any]:
    """Read the labels that belong to an image.

    Parameters
    ----------
    path : path
    shape : (int, int)
        Rows and columns of the image.

    Returns
    -------
    (H, W) array of int
        0 is unlabelled.

    Raises
    ------
    LabelError
        The labels have another shape than the image.
    """
    labels = read_labels(path)
    if labels.shape != tuple(shape):
        raise LabelError(f"{path} has shape {labels.shape} but its image {tuple(shape)}: labels must fit the image.")
    return labels


def _images_in(folder: Path) -> list[LabelledImage]:
    beside = {kind: _by_name(folder.glob(f"{kind}_*"), f"{kind}_") for kind in ("image", "mask", "strokes")}
    apart = {kind: _by_name((folder / f"{kind}s").glob("*"), "") for kind in ("image", "mask")}
    apart["strokes"] = _by_name((folder / "strokes").glob("*"), "")
    return [
        LabelledImage(name, image, files["mask"].get(name), files["strokes"].get(name))
        for files in (beside, apart)
        for name, image in sorted(files["image"].items())
        if name in files["mask"] or name in files["strokes"]
    ]


def _by_name(paths: Iterable[Path], prefix: str) -> dict[str, Path]:
    return {path.stem.removeprefix(prefix): path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES}


def _split(name: str, images: list[LabelledImage], train_share: float, max_images: int | None) -> LabelledSet:
    if max_images is not None and len(images) > max_images:
        images = [images[i * len(images) // max_images] for i in range(max_images)]
    count = min(max(1, round(len(images) * train_share)), len(images) - 1)
    return LabelledSet(name, tuple(images[:count]), tuple(images[count:]))
