"""The size of a pixel in all its spellings."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from patchfield.images import Calibration, read_image

GREY8 = np.arange(2000, dtype=np.uint16).reshape(40, 50).astype(np.uint8)


@pytest.mark.parametrize(
    ("unit", "nanometres"),
    [
        *((spelling, 0.1) for spelling in ("Å", "\N{ANGSTROM SIGN}", "\\u00C5", "angstrom", "Ångström", "Angstroms")),
        *(("pm", 1e-3), ("nm", 1), ("nanometer", 1), ("Nanometers", 1), ("mm", 1e6), ("cm", 1e7), ("m", 1e9)),
        *((spelling, 1e3) for spelling in ("µm", "μm", "um", "\\u00B5m", "micron", "Micron", "microns", "micrometer")),
        *((spelling, 25.4e6) for spelling in ("in", "inch", "inches", '"')),
        *(("km", 1e12), ("thou", 25.4e3), ("ft", 304.8e6)),
        *((spelling, None) for spelling in ("pixel", "", None, "Mm", "reference frame", "parsec")),
    ],
)
def test_units_of_any_spelling(unit, nanometres):
    calibration = Calibration.from_metadata(0.5, "0.25", unit)
    if nanometres is None:
        assert calibration is None
    else:
        assert calibration.in_unit("nm").height == pytest.approx(0.5 * nanometres, rel=1e-12)
        assert calibration.in_unit("nm").width == pytest.approx(0.25 * nanometres, rel=1e-12)


@pytest.mark.parametrize("size", [0, -1, "nan", "inf", None, "wide"])
def test_sizes_that_are_none(size):
    assert Calibration.from_metadata(size, 1, "nm") is None
    assert Calibration.from_metadata(1, 1, "nm", depth=size, interval=size) == Calibration(1, 1, "nm")


class TestTiff:
    @pytest.mark.parametrize(
        ("x", "y", "expected"),
        [
            ((5, "Å"), (5, "Å"), Calibration(0.5, 0.5, "nm")),
            ((500, "pm"), (500, "pm"), Calibration(0.5, 0.5, "nm")),
            ((0.25, "µm"), (250, "nm"), Calibration(0.25, 0.25, "µm")),
            ((0.2, "nm"), (0.3, "nm"), Calibration(0.3, 0.2, "nm")),
            ((0.2, "pixel"), (0.2, "pixel"), None),
        ],
    )
    def test_ome(self, tmp_path, x, y, expected):
        said = {"PhysicalSizeX": x[0], "PhysicalSizeXUnit": x[1], "PhysicalSizeY": y[0], "PhysicalSizeYUnit": y[1]}
        tifffile.imwrite(tmp_path / "o.ome.tif", GREY8, metadata={"axes": "YX"} | said)
        assert read_image(tmp_path / "o.ome.tif").calibration == expected

    def test_slices_and_frames_of_ome(self, tmp_path):
        said = {"axes": "TZYX", "PhysicalSizeX": 1, "PhysicalSizeY": 1, "PhysicalSizeZ": 2000, "TimeIncrement": 1.5}
        said |= {"PhysicalSizeZUnit": "nm", "TimeIncrementUnit": "min"}
        tifffile.imwrite(tmp_path / "o.ome.tif", np.zeros((2, 3, 40, 50), np.uint8), metadata=said)
        assert read_image(tmp_path / "o.ome.tif").calibration == Calibration(1, 1, "µm", depth=2, interval=90)

    def test_imagej(self, tmp_path):
        said = {"axes": "TZYX", "unit": "micron", "spacing": 2.5, "finterval": 3.0}
        stack = np.zeros((2, 3, 40, 50), np.uint8)
        tifffile.imwrite(tmp_path / "i.tif", stack, imagej=True, resolution=(4, 2), metadata=said)
        assert read_image(tmp_path / "i.tif").calibration == Calibration(0.5, 0.25, "µm", depth=2.5, interval=3)
        tifffile.imwrite(tmp_path / "p.tif", GREY8, imagej=True, resolution=(4, 2), metadata={"unit": "pixel"})
        assert read_image(tmp_path / "p.tif").calibration is None
        other = {"unit": "um", "yunit": "nm", "fps": 4.0}
        tifffile.imwrite(tmp_path / "y.tif", GREY8, imagej=True, resolution=(4, 0.004), metadata=other)
        assert read_image(tmp_path / "y.tif").calibration == Calibration(0.25, 0.25, "µm", interval=0.25)

    def test_microscopes(self, tmp_path):
        fei = "[Scan]\r\nPixelWidth=8e-011\r\nPixelHeight=9e-011\r\n"
        tifffile.imwrite(tmp_path / "f.tif", GREY8, extratags=[(34682, "s", 0, fei, True)], metadata=None)
        assert read_image(tmp_path / "f.tif").calibration.in_unit("nm") == Calibration(0.09, 0.08, "nm")
        zeiss = "\r\n".join([*["0"] * 50, "AP_IMAGE_PIXEL_SIZE", "Image Pixel Size = 12.5 nm", ""])
        tifffile.imwrite(tmp_path / "z.tif", GREY8, extratags=[(34118, "s", 0, zeiss, True)], metadata=None)
        assert read_image(tmp_path / "z.tif").calibration == Calibration(12.5, 12.5, "nm")

    def test_resolution_tags(self, tmp_path):
        tifffile.imwrite(tmp_path / "b.tif", GREY8, resolution=(1e5, 2e5), resolutionunit="CENTIMETER")
        assert read_image(tmp_path / "b.tif").calibration == Calibration(5e-6, 1e-5, "cm")
        tifffile.imwrite(tmp_path / "n.tif", GREY8, resolution=(1, 1), resolutionunit="NONE")
        assert read_image(tmp_path / "n.tif").calibration is None


def test_png_and_jpeg(tmp_path):
    for name in ("a.png", "a.jpg"):
        Image.fromarray(GREY8).save(tmp_path / name, dpi=(254, 508))
        size = read_image(tmp_path / name).calibration.in_unit("mm")
        assert (size.height, size.width) == pytest.approx((0.05, 0.1), rel=1e-4)


def test_a_printing_resolution_is_no_scale(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY8, resolution=(300, 300), resolutionunit="INCH")
    assert not read_image(tmp_path / "a.tif").calibration.is_physical
    assert Calibration(0.1, 0.1, "µm").is_physical
