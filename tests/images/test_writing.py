"""Results with axes, scale and colours, as this and other programs read them."""

from itertools import pairwise

import numpy as np
import pytest
import tifffile
from PIL import Image

from patchfield.errors import ImageError
from patchfield.images import (
    Calibration,
    check_writable,
    read_image,
    read_label_stack,
    read_labels,
    write_image,
    write_labels,
    write_map,
    write_rgb,
)
from patchfield.images.colors import LabelClass, default_color, rgb

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (40, 50), dtype=np.uint16)
COLOURS = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
CALIBRATION = Calibration(0.25, 0.2, "µm")
CLASSES = {1: LabelClass("ferrite = α", "#ff8000"), 2: LabelClass("=cmd()\npore", "#0000ff")}


def assert_same_calibration(found, expected, rel=1e-8):
    assert found is not None
    found = found.in_unit(expected.unit)
    assert (found.height, found.width) == pytest.approx((expected.height, expected.width), rel=rel)
    assert found.depth == pytest.approx(expected.depth)
    assert found.interval == pytest.approx(expected.interval)


class TestLabels:
    @pytest.mark.parametrize("name", ["l.tif", "l.png"])
    @pytest.mark.parametrize(("largest", "dtype"), [(3, np.uint8), (300, np.uint16)])
    def test_they_return_with_their_calibration(self, tmp_path, name, largest, dtype):
        labels = (GREY16 % (largest + 1)).astype(np.int64)
        labels[0, 0] = largest
        write_labels(tmp_path / name, labels, CALIBRATION)
        returned = read_labels(tmp_path / name)
        assert returned.dtype == dtype
        np.testing.assert_array_equal(returned, labels)
        np.testing.assert_array_equal(read_image(tmp_path / name).pixels, labels)
        assert_same_calibration(read_image(tmp_path / name).calibration, CALIBRATION)

    def test_beyond_sixteen_bits(self, tmp_path):
        labels = GREY16.astype(np.int64) + 70000
        write_labels(tmp_path / "l.tif", labels, CALIBRATION)
        np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), labels)
        assert_same_calibration(read_image(tmp_path / "l.tif").calibration, CALIBRATION)
        with pytest.raises(ImageError, match="TIFF instead"):
            write_labels(tmp_path / "l.png", labels)

    @pytest.mark.parametrize("labels", [GREY8 / 2, GREY8.astype(int) - 200])
    def test_what_is_no_label_is_not_written(self, tmp_path, labels):
        with pytest.raises(ImageError, match="whole numbers from 0"):
            write_labels(tmp_path / "l.tif", labels)

    @pytest.mark.parametrize("axes", ["", "Z"])
    @pytest.mark.parametrize("size", [(7, 5), (7, 3), (7, 1), (1, 7), (1, 1)])
    def test_a_stack_stays_a_stack(self, tmp_path, size, axes):
        stack = RNG.integers(0, 4, (6, *size), dtype=np.uint8)
        write_labels(tmp_path / "l.tif", stack, axes=axes)
        np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), stack)


class TestAxes:
    @pytest.mark.parametrize(
        ("axes", "lengths"),
        [
            ("", ()),
            ("T", (5,)),
            ("Z", (5,)),
            ("TZ", (2, 3)),
            ("ZT", (2, 3)),
            ("R", (3,)),
            ("RTZ", (2, 2, 2)),
            ("Q", (4,)),
        ],
    )
    @pytest.mark.parametrize("largest", [3, 300, 70000])
    def test_they_return_with_spacing_and_interval(self, tmp_path, axes, lengths, largest):
        labels = RNG.integers(0, 4, (*lengths, 20, 30)) * (largest // 3)
        known = Calibration(0.5, 0.25, "µm", depth=2.0, interval=5.0)
        write_labels(tmp_path / "l.tif", labels, known, axes=axes, classes=CLASSES)
        returned = read_label_stack(tmp_path / "l.tif")
        assert returned.axes == axes
        np.testing.assert_array_equal(returned.values, labels)
        assert_same_calibration(returned.calibration, known)
        assert dict(returned.classes) == CLASSES

    def test_a_movie_is_one_for_imagej(self, tmp_path):
        write_labels(tmp_path / "l.tif", np.stack([GREY8] * 5), Calibration(0.25, 0.2, "µm", interval=5.0), axes="T")
        with tifffile.TiffFile(tmp_path / "l.tif") as file:
            assert file.is_imagej
            assert file.series[0].axes == "TYX"
            assert (file.imagej_metadata["frames"], file.imagej_metadata["finterval"]) == (5, 5.0)
            assert file.imagej_metadata["unit"] == "um"
            assert file.pages[0].tags["XResolution"].value == (5, 1)

    def test_maps_and_colours(self, tmp_path):
        maps = RNG.random((2, 3, 4, 20, 30)).astype(np.float32)
        write_map(tmp_path / "m.tif", maps, CALIBRATION, axes="TZ")
        returned = read_image(tmp_path / "m.tif")
        assert (returned.axes, returned.lengths, returned.channels) == ("TZ", (2, 3), 4)
        np.testing.assert_array_equal(returned.pixels_at((1, 2)), np.moveaxis(maps[1, 2], 0, -1))
        write_map(tmp_path / "m.png", maps[0, 0, 0])
        np.testing.assert_allclose(read_image(tmp_path / "m.png").pixels / 65535, maps[0, 0, 0], atol=1e-5)
        for name in ("c.tif", "c.png"):
            write_rgb(tmp_path / name, COLOURS / 255)
            np.testing.assert_array_equal(read_image(tmp_path / name).pixels, COLOURS)
        write_image(tmp_path / "i.tif", np.stack([COLOURS] * 2), axes="T")
        assert (read_image(tmp_path / "i.tif").axes, read_image(tmp_path / "i.tif").channels) == ("T", 3)

    def test_axes_that_do_not_fit_are_refused(self, tmp_path):
        with pytest.raises(ImageError, match="does not have the axes TZYX"):
            write_labels(tmp_path / "l.tif", np.stack([GREY8] * 5), axes="TZ")


@pytest.mark.parametrize("name", ["l.tif", "l.png", "wide.tif", "rgb.tif", "rgb.png", "map.tif"])
@pytest.mark.parametrize(
    "known",
    [
        Calibration(0.2, 0.2, "nm"),
        Calibration(0.02, 0.01, "nm"),
        Calibration(8e-11, 8e-11, "m"),
        Calibration(2e-6, 2e-6, "nm"),
        Calibration(0.3333333333, 0.7777777777, "µm"),
        Calibration(25.4, 25.4, "mm"),
        Calibration(1e6, 1e6, "m"),
        Calibration(1 / 3, 1 / 3, "inch"),
    ],
    ids=str,
)
def test_pixels_of_any_size_return(tmp_path, name, known):
    write = {
        "l": lambda path: write_labels(path, GREY8, known),
        "wide": lambda path: write_labels(path, GREY16.astype(int) + 70000, known),
        "rgb": lambda path: write_rgb(path, COLOURS, known),
        "map": lambda path: write_map(path, GREY8 / 255, known),
    }[name.partition(".")[0]]
    write(tmp_path / name)
    assert_same_calibration(read_image(tmp_path / name).calibration, known)


class TestColours:
    def test_other_programs_show_classes_in_colour_and_keep_their_values(self, tmp_path):
        labels = GREY8 % 4
        for name, axes, stack in (("l.png", "", labels), ("l.tif", "", labels), ("s.tif", "R", np.stack([labels] * 2))):
            write_labels(tmp_path / name, stack, axes=axes, classes=CLASSES)
            with Image.open(tmp_path / name) as image:
                assert image.mode == "P"
                np.testing.assert_array_equal(np.asarray(image), labels)
                shown = np.asarray(image.convert("RGB"))
            expected = np.array([(0, 0, 0), (255, 128, 0), (0, 0, 255), rgb(default_color(3))])[labels]
            np.testing.assert_array_equal(shown, expected)

    def test_imagejs_lookup_table_of_values_beyond_a_byte(self, tmp_path):
        write_labels(tmp_path / "l.tif", np.array([[0, 1, 510]]), classes={510: LabelClass("x", "#ff8000")})
        with tifffile.TiffFile(tmp_path / "l.tif") as file:
            table = np.array(file.pages[0].tags["ColorMap"].value).reshape(3, 256)
            assert (file.imagej_metadata["min"], file.imagej_metadata["max"]) == (0, 510)
            assert (table[:, 255] // 257).tolist() == [255, 128, 0]
            assert "x (#ff8000)" in file.imagej_metadata["Info"]
            np.testing.assert_array_equal(file.asarray(), [[0, 1, 510]])

    def test_neighbouring_classes_never_share_a_colour(self):
        colors = [default_color(value) for value in range(1, 256)]
        assert all(first != second for first, second in pairwise(colors))


class TestBeforeComputing:
    @pytest.mark.parametrize(
        ("name", "options", "sentence"),
        [
            ("a.png", {"planes": 5}, "one plane, not 5: write TIFF"),
            ("a.png", {"largest": 70000}, "up to 65535, not 70000: write TIFF"),
            ("a.jpg", {}, "written as .tif, .png or .ome.zarr"),
        ],
    )
    def test_formats_that_cannot_hold_a_result_are_refused(self, tmp_path, name, options, sentence):
        with pytest.raises(ImageError, match=sentence):
            check_writable(tmp_path / name, **options)

    def test_those_that_can_are_not(self, tmp_path):
        check_writable(tmp_path / "a.png", planes=1, largest=65535)
        check_writable(tmp_path / "a.TIF", planes=500, largest=70000)

    def test_a_failed_write_leaves_the_old_file(self, tmp_path):
        write_labels(tmp_path / "l.png", GREY8)
        with pytest.raises(ImageError):
            write_labels(tmp_path / "l.png", np.stack([GREY8, GREY8]))
        np.testing.assert_array_equal(read_labels(tmp_path / "l.png"), GREY8)
        assert [file.name for file in tmp_path.iterdir()] == ["l.png"]


def test_a_scale_that_another_program_changed_is_believed(tmp_path):
    """Our own note is exact, and yields to a resolution that contradicts it."""
    write_labels(tmp_path / "l.png", GREY8, CALIBRATION)
    with Image.open(tmp_path / "l.png") as image:
        image.save(tmp_path / "m.png", dpi=(1000, 1000), pnginfo=_texts(image))
    assert_same_calibration(read_image(tmp_path / "m.png").calibration, Calibration(0.001, 0.001, "inch"), rel=1e-3)


def _texts(image):
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    for key, text in image.text.items():
        texts.add_text(key, text)
    return texts
