"""Any array or file as what a model sees, and results with the image's calibration."""

from contextlib import suppress

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from patchfield.errors import ImageError, LabelError
from patchfield.images import (
    Calibration,
    ImageSettings,
    model_image,
    read_image,
    read_labels,
    write_labels,
    write_map,
    write_rgb,
)
from patchfield.images.readers import tiff as reading_module

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (40, 50), dtype=np.uint16)
COLOURS = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
HALF_TRANSPARENT = np.dstack([COLOURS, GREY8])


class TestContrast:
    def test_uint8_is_seen_as_it_is_and_grey_is_replicated(self):
        seen = model_image(GREY8).whole()
        assert seen.dtype == np.float32
        assert seen.shape == (40, 50, 3)
        np.testing.assert_allclose(seen, np.repeat(GREY8[..., None] / 255, 3, axis=2), atol=1e-7)

    @pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.uint64, np.float32, np.float64, ">u2"])
    def test_other_dtypes_by_percentiles_of_the_whole_image(self, dtype):
        image = (RNG.gamma(2.0, 300.0, (64, 64)) + 100).astype(dtype)
        low, high = np.percentile(image.astype(float), [0.5, 99.5])
        expected = np.clip((image.astype(float) - low) / (high - low), 0, 1)
        np.testing.assert_allclose(model_image(image).whole()[..., 0], expected, atol=1e-5)

    def test_sixteen_bits_keep_more_than_256_values(self):
        ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
        assert len(np.unique(model_image(ramp).whole())) > 4000

    def test_small_contrast_on_a_large_offset_is_not_lost(self):
        ramp = 1e9 + np.linspace(0, 1, 100).reshape(10, 10)
        assert len(np.unique(model_image(ramp, ImageSettings("minmax")).whole())) == 100

    @pytest.mark.parametrize(
        ("contrast", "expected"),
        [("none", 1000 / 65535), ("minmax", 500 / 1500), ((0, 4000), 0.25), ((900, 1100), 0.5), ((0, 500), 1.0)],
    )
    def test_choices(self, contrast, expected):
        image = np.array([[500, 1000, 2000]], np.uint16)
        assert model_image(image, ImageSettings(contrast)).whole()[0, 1, 0] == pytest.approx(expected)

    def test_booleans_are_black_and_white(self):
        np.testing.assert_array_equal(model_image(GREY8 > 100).whole()[..., 0], GREY8 > 100)

    @pytest.mark.parametrize("dtype", [np.uint16, np.float32])
    def test_a_constant_image_is_mid_grey(self, dtype):
        assert (model_image(np.full((5, 5), 7, dtype)).whole() == 0.5).all()

    def test_a_few_bright_spots_on_black_are_seen(self):
        image = np.zeros((100, 100), np.uint16)
        image[5, 5] = 900
        seen = model_image(image).whole()[..., 0]
        assert seen[5, 5] == 1
        assert seen.sum() == 1

    def test_nan_and_infinities_have_values_and_do_not_move_the_limits(self):
        image = RNG.normal(10, 1, (50, 50))
        clean = model_image(image).limits
        image[0, :3] = np.nan, np.inf, -np.inf
        seen = model_image(image)
        np.testing.assert_allclose(seen.limits, clean, atol=0.05)
        np.testing.assert_array_equal(seen.whole()[0, :3, 0], [0, 1, 0])

    def test_nothing_finite_is_black(self):
        assert (model_image(np.full((4, 4), np.nan)).whole() == 0).all()

    def test_limits_of_a_large_image_come_from_a_lattice_within_the_promised_rank(self):
        image = RNG.normal(0, 1, (4200, 2100)).astype(np.float32)
        low, high = model_image(image).limits[0]
        assert (image < low).mean() == pytest.approx(0.005, abs=1e-4)
        assert (image > high).mean() == pytest.approx(0.005, abs=1e-4)


class TestChannels:
    def test_three_channels_are_stretched_together_and_chosen_ones_apart(self):
        image = np.dstack([GREY16, GREY16 // 2, GREY16 // 4])
        together = model_image(image).whole()
        apart = model_image(image, ImageSettings(channels=(0, 1, 2))).whole()
        assert together[..., 2].max() < 0.3
        np.testing.assert_allclose(apart[..., 2], apart[..., 0], atol=1e-3)

    def test_a_grey_image_three_pixels_wide_is_grey(self):
        seen = model_image(GREY8[:, :3]).whole()
        assert seen.shape == (40, 3, 3)
        np.testing.assert_array_equal(seen[..., 0], seen[..., 2])

    def test_opaque_rgba_loses_its_alpha(self):
        opaque = np.dstack([COLOURS, np.full((40, 50), 255, np.uint8)])
        np.testing.assert_array_equal(model_image(opaque).whole(), model_image(COLOURS).whole())

    @pytest.mark.parametrize("channels", [2, 4, 5])
    def test_other_numbers_must_be_chosen(self, channels):
        image = RNG.integers(0, 200, (8, 9, channels), dtype=np.uint8)
        with pytest.raises(ImageError, match=f"{channels} channels: choose"):
            model_image(image)
        chosen = model_image(image, ImageSettings(channels=(1,))).whole()
        np.testing.assert_allclose(chosen[..., 0], image[..., 1] / 255, atol=1e-7)

    @pytest.mark.parametrize(
        ("image", "sentence"),
        [
            (np.zeros((0, 5)), "empty"),
            (np.zeros(7), "1 dimension"),
            (np.zeros((2, 3, 4, 5)), "4 dimension"),
            (np.zeros((12, 64, 64)), "one plane of a stack"),
            (np.zeros((4, 4), complex), "complex"),
            (np.array([["a"]]), "integers, floats or booleans"),
            ([[1, 2], [3]], "rows differ"),
        ],
    )
    def test_what_is_no_image_gets_one_sentence(self, image, sentence):
        with pytest.raises(ImageError, match=sentence) as caught:
            model_image(image, name="slide 7")
        assert str(caught.value).startswith("slide 7")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "wrong", [{"contrast": "nice"}, {"contrast": (2, 1)}, {"channels": (0, 1)}, {"channels": (-1,)}]
    )
    def test_settings_that_make_no_sense_are_refused(self, wrong):
        with pytest.raises(ImageError):
            ImageSettings(**wrong)

    @pytest.mark.parametrize(
        "made", [ImageSettings(), ImageSettings("minmax", (2,)), ImageSettings((1, 2.5), (0, 1, 1))]
    )
    def test_settings_survive_json(self, made):
        assert ImageSettings.from_json(made.to_json()) == made


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_crop_is_the_whole_at_those_rows_and_columns(data):
    rows = data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=60))
    columns = data.draw(st.lists(st.integers(0, 49), min_size=1, max_size=60))
    seen = model_image(COLOURS)
    np.testing.assert_array_equal(seen.crop(np.array(rows), np.array(columns)), seen.whole()[np.ix_(rows, columns)])


class TestReading:
    @pytest.mark.parametrize(
        ("image", "options"),
        [
            (GREY8, {}),
            (GREY16, {"byteorder": ">", "bigtiff": True}),
            (GREY16, {"compression": "lzw"}),
            (GREY16, {"compression": "zlib", "predictor": True, "tile": (16, 16)}),
            (GREY16.astype(np.float32) / 7, {}),
            (GREY16.astype(np.int32), {}),
            (GREY8 > 9, {}),
            (COLOURS, {"photometric": "rgb"}),
        ],
        ids=["uint8", "uint16-big-endian", "lzw", "tiled", "float", "int32", "bool", "rgb"],
    )
    def test_tiff_values_survive(self, tmp_path, image, options):
        tifffile.imwrite(tmp_path / "a.tif", image, **options)
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, image)

    @pytest.mark.parametrize(
        ("image", "expected"),
        [
            (GREY8, GREY8),
            (GREY16, GREY16),
            (COLOURS, COLOURS),
            (HALF_TRANSPARENT, COLOURS),
            (np.dstack([GREY8, GREY8]), GREY8),
            (np.dstack([GREY16] * 3), np.dstack([GREY16] * 3)),
            (np.dstack([GREY16] * 4), np.dstack([GREY16] * 3)),
            (np.dstack([GREY16] * 2), GREY16),
        ],
        ids=["8", "16", "rgb", "rgba", "la", "rgb16", "rgba16", "la16"],
    )
    def test_png_values_survive_without_alpha(self, tmp_path, image, expected):
        (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
        np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, expected)

    def test_jpeg_palette_cmyk_and_bits(self, tmp_path):
        smooth = np.dstack([np.linspace(0, 255, 50).astype(np.uint8) * np.ones((40, 1), np.uint8)] * 3)
        Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
        Image.fromarray(smooth).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
        for name in ("a.jpg", "cmyk.jpg"):
            assert np.abs(read_image(tmp_path / name).pixels.astype(int) - smooth).max() < 12
        Image.fromarray(GREY8 > 99).save(tmp_path / "bits.png")
        np.testing.assert_array_equal(read_image(tmp_path / "bits.png").pixels, GREY8 > 99)
        Image.fromarray(COLOURS // 128 * 255).convert("P").save(tmp_path / "palette.png")
        np.testing.assert_array_equal(read_image(tmp_path / "palette.png").pixels, COLOURS // 128 * 255)

    def test_tiff_palette_cmyk_and_alpha(self, tmp_path):
        colormap = np.stack([np.arange(256), np.arange(256)[::-1], np.zeros(256)]).astype(np.uint16) * 257
        tifffile.imwrite(tmp_path / "p.tif", GREY8, photometric="palette", colormap=colormap)
        np.testing.assert_array_equal(read_image(tmp_path / "p.tif").pixels, (colormap // 257).T[GREY8])
        tifffile.imwrite(tmp_path / "a.tif", HALF_TRANSPARENT, photometric="rgb", extrasamples=["unassalpha"])
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, COLOURS)
        ink = np.zeros((2, 2, 4), np.uint8)
        ink[0, 0], ink[0, 1] = (255, 0, 0, 0), (0, 0, 0, 255)
        tifffile.imwrite(tmp_path / "c.tif", ink, photometric="separated")
        np.testing.assert_array_equal(read_image(tmp_path / "c.tif").pixels[0], [[0, 255, 255], [0, 0, 0]])

    def test_planes_of_an_imagej_hyperstack(self, tmp_path):
        stack = RNG.integers(0, 65536, (3, 4, 2, 20, 30), dtype=np.uint16)
        tifffile.imwrite(tmp_path / "s.tif", stack, imagej=True, metadata={"axes": "TZCYX"})
        micrograph = read_image(tmp_path / "s.tif", plane=5)
        assert (micrograph.planes, micrograph.shape) == (12, (20, 30))
        np.testing.assert_array_equal(micrograph.pixels, np.moveaxis(stack[1, 1], 0, -1))
        with pytest.raises(ImageError, match=r"12 plane.*no plane 12"):
            micrograph.at(12)

    def test_all_planes_of_a_stack_are_stretched_alike(self, tmp_path):
        tifffile.imwrite(tmp_path / "s.tif", np.stack([GREY16 // 4, GREY16]), imagej=True, metadata={"axes": "ZYX"})
        stack = read_image(tmp_path / "s.tif")
        dark, bright = (model_image(stack, plane=(plane,)).whole() for plane in (0, 1))
        assert dark.max() < 0.3
        assert bright.max() == 1

    def test_large_files_are_mapped_and_read_as_the_same(self, tmp_path, monkeypatch):
        tifffile.imwrite(tmp_path / "a.tif", GREY16)
        monkeypatch.setattr(reading_module, "MAPPED_BYTES", 1)
        mapped = read_image(tmp_path / "a.tif").pixels
        assert isinstance(mapped, np.memmap)
        np.testing.assert_array_equal(model_image(mapped).whole(), model_image(GREY16).whole())

    def test_what_cannot_be_read_gets_one_sentence(self, tmp_path):
        tifffile.imwrite(tmp_path / "cut.tif", GREY16)
        (tmp_path / "cut.tif").write_bytes((tmp_path / "cut.tif").read_bytes()[:2000])
        tifffile.imwrite(tmp_path / "short.tif", np.stack([GREY16] * 6), imagej=True, metadata={"axes": "ZYX"})
        (tmp_path / "short.tif").write_bytes((tmp_path / "short.tif").read_bytes()[:9000])
        (tmp_path / "cut.png").write_bytes(imagecodecs.png_encode(GREY8)[:800])
        (tmp_path / "text.png").write_text("not an image")
        sentences = {
            "cut.tif": "damaged",
            "short.tif": "cut short",
            "cut.png": "damaged",
            "text.png": "save it as TIFF, PNG or JPEG",
            "none.tif": "does not exist",
            "": "is a folder",
        }
        for name, sentence in sentences.items():
            with pytest.raises(ImageError, match=sentence) as caught:
                read_image(tmp_path / name)
            assert str(tmp_path / name) in str(caught.value)

    def test_damaged_bytes_never_escape_as_another_error(self, tmp_path):
        good = tmp_path / "good.tif"
        tifffile.imwrite(good, COLOURS, photometric="rgb", compression="zlib")
        for name, content in {"a.tif": good.read_bytes(), "a.png": imagecodecs.png_encode(GREY16)}.items():
            for _ in range(60):
                damaged = bytearray(content)
                for position in RNG.integers(4, min(len(content), 400), 8):
                    damaged[position] = RNG.integers(256)
                (tmp_path / name).write_bytes(damaged)
                with suppress(ImageError):
                    read_image(tmp_path / name)

    def test_real_files(self, shared):
        files = sorted(shared.glob("data/*/image_*"))
        assert len(files) > 50
        for file in files[::5]:
            micrograph = read_image(file)
            mask = read_labels(next(file.parent.glob(f"mask_{file.stem.removeprefix('image_')}.*")))
            assert micrograph.shape == mask.shape
            seen = model_image(micrograph, plane=micrograph.index).whole()
            assert seen.min() >= 0
            assert 0.1 < seen.max() <= 1


class TestLabelFiles:
    def test_palette_indices_are_labels(self, tmp_path):
        indexed = Image.fromarray(GREY8 % 4).convert("P")
        indexed.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200])
        indexed.save(tmp_path / "l.png")
        np.testing.assert_array_equal(read_labels(tmp_path / "l.png"), GREY8 % 4)

    def test_whole_floats_and_equal_colours_are_labels(self, tmp_path):
        tifffile.imwrite(tmp_path / "f.tif", (GREY8 % 3).astype(np.float32))
        np.testing.assert_array_equal(read_labels(tmp_path / "f.tif"), GREY8 % 3)
        (tmp_path / "c.png").write_bytes(imagecodecs.png_encode(np.dstack([GREY8] * 3)))
        np.testing.assert_array_equal(read_labels(tmp_path / "c.png"), GREY8)

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [(GREY8 / 7, "fractions"), (GREY8.astype(np.int16) - 5, "negative"), (COLOURS, "colours")],
    )
    def test_what_is_no_label_is_refused(self, tmp_path, values, sentence):
        tifffile.imwrite(tmp_path / "l.tif", values, photometric="rgb" if values.ndim == 3 else "minisblack")
        with pytest.raises(LabelError, match=sentence):
            read_labels(tmp_path / "l.tif")


class TestWriting:
    CALIBRATION = Calibration(0.25, 0.2, "µm")

    @pytest.mark.parametrize("name", ["l.tif", "l.png"])
    @pytest.mark.parametrize(("largest", "dtype"), [(3, np.uint8), (300, np.uint16)])
    def test_labels_return_with_their_calibration(self, tmp_path, name, largest, dtype):
        labels = (GREY16 % (largest + 1)).astype(np.int64)
        labels[0, 0] = largest
        write_labels(tmp_path / name, labels, self.CALIBRATION)
        returned = read_labels(tmp_path / name)
        assert returned.dtype == dtype
        np.testing.assert_array_equal(returned, labels)
        assert_same_calibration(read_image(tmp_path / name).calibration, self.CALIBRATION)

    def test_labels_beyond_sixteen_bits(self, tmp_path):
        labels = GREY16.astype(np.int64) + 70000
        write_labels(tmp_path / "l.tif", labels, self.CALIBRATION)
        np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), labels)
        assert_same_calibration(read_image(tmp_path / "l.tif").calibration, self.CALIBRATION)
        with pytest.raises(ImageError, match="TIFF instead"):
            write_labels(tmp_path / "l.png", labels)

    @pytest.mark.parametrize("width", [3, 5])
    def test_a_stack_of_labels_stays_a_stack(self, tmp_path, width):
        stack = RNG.integers(0, 4, (6, 7, width), dtype=np.uint8)
        write_labels(tmp_path / "l.tif", stack)
        np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), stack)

    def test_maps_and_colours_return(self, tmp_path):
        maps = RNG.random((3, 20, 30)).astype(np.float32)
        write_map(tmp_path / "m.tif", maps, self.CALIBRATION)
        np.testing.assert_array_equal(read_image(tmp_path / "m.tif").pixels, np.moveaxis(maps, 0, -1))
        write_map(tmp_path / "m.png", maps[0])
        np.testing.assert_allclose(read_image(tmp_path / "m.png").pixels / 65535, maps[0], atol=1e-5)
        for name in ("c.tif", "c.png"):
            write_rgb(tmp_path / name, COLOURS / 255)
            np.testing.assert_array_equal(read_image(tmp_path / name).pixels, COLOURS)

    def test_imagej_opens_the_scale_we_write(self, tmp_path):
        write_labels(tmp_path / "l.tif", GREY8, self.CALIBRATION)
        with tifffile.TiffFile(tmp_path / "l.tif") as file:
            assert file.is_imagej
            assert file.imagej_metadata["unit"] == "um"
            assert file.pages[0].tags["XResolution"].value == (5, 1)

    def test_a_failed_write_leaves_the_old_file(self, tmp_path):
        write_labels(tmp_path / "l.png", GREY8)
        with pytest.raises(ImageError):
            write_labels(tmp_path / "l.png", np.stack([GREY8, GREY8]))
        np.testing.assert_array_equal(read_labels(tmp_path / "l.png"), GREY8)
        assert [file.name for file in tmp_path.iterdir()] == ["l.png"]


class TestCalibration:
    def test_ome_and_resolution_tags(self, tmp_path):
        ome = {"axes": "YX", "PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "nm"}
        ome |= {"PhysicalSizeY": 0.3, "PhysicalSizeYUnit": "nm"}
        tifffile.imwrite(tmp_path / "o.ome.tif", GREY8, metadata=ome)
        assert read_image(tmp_path / "o.ome.tif").calibration == Calibration(0.3, 0.2, "nm")
        tifffile.imwrite(tmp_path / "b.tif", GREY8, resolution=(1e5, 1e5), resolutionunit="CENTIMETER")
        assert_same_calibration(read_image(tmp_path / "b.tif").calibration, Calibration(1e-5, 1e-5, "cm"))

    def test_a_printing_resolution_is_no_scale(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", GREY8, resolution=(300, 300), resolutionunit="INCH")
        assert not read_image(tmp_path / "a.tif").calibration.is_physical
        assert Calibration(0.1, 0.1, "µm").is_physical


def assert_same_calibration(found: Calibration | None, expected: Calibration) -> None:
    """Equal to 1e-4, whatever the unit: formats keep their own."""
    assert found is not None
    np.testing.assert_allclose(found.dots_per_inch, expected.dots_per_inch, rtol=1e-4)
