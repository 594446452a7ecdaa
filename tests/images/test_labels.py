"""Files of labels, and which of their planes belongs to which plane of an image."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from patchfield.errors import ImageError, LabelError
from patchfield.images import ArrayStack, LabelStack, labels_of_planes, read_image, read_label_stack, read_labels

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
FEW = GREY8 % 4
COLOURS = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)


class TestReading:
    def test_palette_indices_are_labels(self, tmp_path):
        indexed = Image.fromarray(FEW).convert("P")
        indexed.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200])
        indexed.save(tmp_path / "l.png")
        np.testing.assert_array_equal(read_labels(tmp_path / "l.png"), FEW)
        colormap = RNG.integers(0, 65535, (3, 256)).astype(np.uint16)
        tifffile.imwrite(tmp_path / "l.tif", FEW, photometric="palette", colormap=colormap)
        np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), FEW)

    def test_whole_floats_and_equal_colours_are_labels(self, tmp_path):
        tifffile.imwrite(tmp_path / "f.tif", FEW.astype(np.float32))
        np.testing.assert_array_equal(read_labels(tmp_path / "f.tif"), FEW)
        (tmp_path / "c.png").write_bytes(imagecodecs.png_encode(np.dstack([GREY8] * 3)))
        np.testing.assert_array_equal(read_labels(tmp_path / "c.png"), GREY8)

    @pytest.mark.parametrize("planes", [2, 3, 4, 5])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
    def test_planes_are_never_colours(self, tmp_path, planes, dtype):
        """napari saves three and four planes under tifffile's guess, RGB."""
        stack = RNG.integers(0, 4, (planes, 40, 50)).astype(dtype)
        options = {"photometric": "rgb", "planarconfig": "separate"} if planes in (3, 4) else {}
        tifffile.imwrite(tmp_path / "l.tif", stack, **options)
        np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), stack)
        tifffile.imwrite(tmp_path / "i.tif", stack.astype(np.uint16), imagej=True)
        np.testing.assert_array_equal(read_labels(tmp_path / "i.tif"), stack)

    def test_negatives_and_turned_labels_are_read_as_images_are(self, tmp_path):
        tags = [(274, "H", 1, 6, True)]
        tifffile.imwrite(tmp_path / "l.tif", 255 - FEW, photometric="miniswhite", extratags=tags)
        np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), np.rot90(FEW, -1))
        exif = Image.Exif()
        exif[274] = 3
        Image.fromarray(FEW).save(tmp_path / "l.png", exif=exif)
        np.testing.assert_array_equal(read_labels(tmp_path / "l.png"), np.rot90(FEW, 2))

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            (GREY8 / 7, "fractions"),
            (np.full((4, 4), np.nan), "fractions or NaN"),
            (GREY8.astype(np.int16) - 5, "negative"),
            (COLOURS, "colours"),
            (np.full((4, 4), 2**64 - 1, np.uint64), r"label 18446744073709551615: labels go up to 4294967295"),
            (np.full((4, 4), 2**40, np.int64), "labels go up to"),
            (np.full((4, 4), 1e30), r"label 1e\+30"),
            (np.full((4, 4), 1j), "complex"),
        ],
    )
    def test_what_is_no_label_is_refused(self, tmp_path, values, sentence):
        tifffile.imwrite(tmp_path / "l.tif", values, photometric="rgb" if values.ndim == 3 else "minisblack")
        with pytest.raises(LabelError, match=sentence):
            read_labels(tmp_path / "l.tif")

    def test_lossy_files_are_refused(self, tmp_path):
        Image.fromarray(FEW * 80).save(tmp_path / "l.jpg", quality=70)
        Image.fromarray(FEW * 80).save(tmp_path / "l.webp", quality=70)
        Image.fromarray(COLOURS).save(tmp_path / "l.jp2", irreversible=True, quality_layers=[20])
        tifffile.imwrite(tmp_path / "l.tif", FEW * 80, compression="jpeg")
        for name in ("l.jpg", "l.webp", "l.jp2", "l.tif"):
            with pytest.raises(LabelError, match=r"changes values: save labels as PNG or TIFF"):
                read_labels(tmp_path / name)
        grey = Image.fromarray(FEW)
        grey.save(tmp_path / "kept.jp2", irreversible=False)
        Image.merge("RGB", [grey] * 3).save(tmp_path / "kept.webp", lossless=True)
        for name in ("kept.jp2", "kept.webp"):
            np.testing.assert_array_equal(read_labels(tmp_path / name), FEW)

    def test_masks_of_single_objects_are_refused_before_anything_is_computed(self, tmp_path):
        objects = np.arange(2000, dtype=np.uint16).reshape(40, 50) // 4
        tifffile.imwrite(tmp_path / "l.tif", objects)
        with pytest.raises(LabelError, match="499 different labels, and there can be 255 classes"):
            read_label_stack(tmp_path / "l.tif")
        np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), objects)
        tifffile.imwrite(tmp_path / "few.tif", objects // 300 * 3000)
        assert read_label_stack(tmp_path / "few.tif").values.max() == 3000


class TestPlanes:
    def test_axes_are_matched_by_name(self, tmp_path):
        image, labels = np.zeros((3, 2, 8, 9), np.uint8), np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1)
        tifffile.imwrite(tmp_path / "i.ome.tif", image, metadata={"axes": "ZTYX"}, photometric="minisblack")
        painted = np.broadcast_to(labels, (2, 3, 8, 9)).copy()
        tifffile.imwrite(tmp_path / "l.tif", painted, imagej=True, metadata={"axes": "TZYX"})
        found = labels_of_planes(read_label_stack(tmp_path / "l.tif"), read_image(tmp_path / "i.ome.tif"))
        assert {index: int(plane[0, 0]) for index, plane in found.items()} == {
            (z, t): 3 * t + z for z in range(3) for t in range(2)
        }

    @pytest.mark.parametrize(
        ("image_axes", "labels_axes", "lengths"),
        [
            ("T", "T", (5,)),
            ("T", "Z", (5,)),
            ("Q", "T", (5,)),
            ("TZ", "QI", (2, 3)),
            ("QI", "TZ", (2, 3)),
            ("RT", "QT", (2, 3)),
        ],
    )
    def test_axes_that_cannot_be_taken_for_another_are_matched_by_length(self, image_axes, labels_axes, lengths):
        values = RNG.integers(0, 4, (*lengths, 8, 9))
        image = ArrayStack(np.zeros((*lengths, 8, 9)), f"{image_axes}YX")
        found = labels_of_planes(LabelStack("l.tif", values, labels_axes), image)
        assert list(found) == list(np.ndindex(*lengths))
        for index, plane in found.items():
            np.testing.assert_array_equal(plane, values[index])

    @pytest.mark.parametrize(
        ("image_axes", "lengths", "labels_axes", "labels_lengths"),
        [
            ("TZ", (2, 3), "T", (6,)),
            ("TZ", (2, 3), "Q", (6,)),
            ("TZ", (2, 3), "ZT", (2, 3)),
            ("TZ", (2, 3), "RP", (2, 3)),
            ("T", (5,), "T", (4,)),
            ("", (), "T", (5,)),
        ],
    )
    def test_other_axes_are_refused_in_words(self, image_axes, lengths, labels_axes, labels_lengths):
        image = ArrayStack(np.zeros((*lengths, 8, 9)), f"{image_axes}YX", name="i.tif")
        labels = LabelStack("l.tif", np.zeros((*labels_lengths, 8, 9), int), labels_axes)
        with pytest.raises(LabelError, match=r"l\.tif has planes .*, but i\.tif has (planes|one plane)"):
            labels_of_planes(labels, image)

    def test_a_single_plane(self):
        plane = LabelStack("l.tif", RNG.integers(0, 4, (8, 9)))
        single = ArrayStack(np.zeros((8, 9)), "YX")
        stack = ArrayStack(np.zeros((5, 8, 9)), "TYX", name="i.tif")
        assert list(labels_of_planes(plane, single)) == [()]
        assert list(labels_of_planes(plane, stack, (3,))) == [(3,)]
        with pytest.raises(LabelError, match=r"l\.tif is a single plane, but i\.tif has planes T 5.*--plane"):
            labels_of_planes(plane, stack)
        several = LabelStack("l.tif", RNG.integers(0, 4, (5, 8, 9)), "T")
        np.testing.assert_array_equal(labels_of_planes(several, stack, (3,))[3,], several.values[3])

    def test_axes_of_one_entry_do_not_matter(self):
        values = RNG.integers(0, 4, (1, 3, 8, 9))
        stack = ArrayStack(np.zeros((3, 1, 8, 9)), "ZTYX")
        found = labels_of_planes(LabelStack("l.tif", values, "RZ"), stack)
        np.testing.assert_array_equal(found[2, 0], values[0, 2])

    def test_another_size_is_refused_with_its_reason(self, tmp_path):
        exif = Image.Exif()
        exif[274] = 6
        Image.fromarray(GREY8).save(tmp_path / "p.jpg", exif=exif)
        Image.fromarray(FEW).save(tmp_path / "l.png")
        photo, labels = read_image(tmp_path / "p.jpg"), read_label_stack(tmp_path / "l.png")
        with pytest.raises(LabelError, match=r"40 x 50 pixels, but .* has 50 x 40: .*EXIF orientation 6"):
            labels_of_planes(labels, photo)
        with pytest.raises(LabelError, match="painted on this image"):
            labels_of_planes(labels, ArrayStack(np.zeros((8, 9)), "YX"))


def test_what_cannot_be_read_is_an_image_error(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        read_label_stack(tmp_path / "none.tif")
