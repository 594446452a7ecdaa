"""TIFF files of every kind against what Pillow, tifffile or the file's own tags say they show."""

import uuid

import numpy as np
import pytest
import tifffile
from PIL import Image

from patchfield.errors import ImageError
from patchfield.images import model_image, read_image
from patchfield.images.readers import lazy, tiff

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (40, 50), dtype=np.uint16)
COLOURS = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
STACK = RNG.integers(0, 256, (5, 40, 50), dtype=np.uint8)


def pixels(path, **options):
    return np.asarray(read_image(path, **options).pixels)


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
def test_values_survive(tmp_path, image, options):
    tifffile.imwrite(tmp_path / "a.tif", image, **options)
    np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), image)


class TestLightAndColour:
    def test_white_for_zero_is_turned_as_pillow_turns_it(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", 255 - GREY8, photometric="miniswhite")
        with Image.open(tmp_path / "a.tif") as shown:
            np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), np.asarray(shown))
        np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), GREY8)
        tifffile.imwrite(tmp_path / "deep.tif", 65535 - GREY16, photometric="miniswhite")
        np.testing.assert_array_equal(pixels(tmp_path / "deep.tif"), GREY16)

    def test_scanned_bits_are_turned_and_masks_of_tifffile_keep_their_values(self, tmp_path):
        tifffile.imwrite(tmp_path / "scan.tif", GREY8 > 99, photometric="miniswhite", software="scanner")
        np.testing.assert_array_equal(pixels(tmp_path / "scan.tif"), GREY8 <= 99)
        tifffile.imwrite(tmp_path / "mask.tif", GREY8 > 99)
        np.testing.assert_array_equal(pixels(tmp_path / "mask.tif"), GREY8 > 99)

    def test_imagejs_inverting_table_keeps_the_values(self, tmp_path):
        description = "ImageJ=1.54f\nmin=0.0\nmax=255.0\n"
        tifffile.imwrite(tmp_path / "a.tif", GREY8, photometric="miniswhite", description=description, metadata=None)
        np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), GREY8)

    def test_a_palette_gives_its_colours_and_a_grey_one_grey(self, tmp_path):
        colormap = np.stack([np.arange(256), np.arange(256)[::-1], np.zeros(256)]).astype(np.uint16) * 257
        tifffile.imwrite(tmp_path / "p.tif", GREY8, photometric="palette", colormap=colormap)
        np.testing.assert_array_equal(pixels(tmp_path / "p.tif"), (colormap // 257).T[GREY8])
        grey = np.stack([np.arange(256)[::-1]] * 3).astype(np.uint16) * 257
        tifffile.imwrite(tmp_path / "g.tif", GREY8, photometric="palette", colormap=grey)
        np.testing.assert_array_equal(pixels(tmp_path / "g.tif"), 255 - GREY8)

    def test_few_bits_span_black_to_white_as_in_pillow(self, tmp_path):
        with Image.open(_four_bits(tmp_path / "a.tif")) as shown:
            expected = np.asarray(shown.convert("L"))
        assert expected.max() == 255
        np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), expected)

    def test_inks_and_alpha(self, tmp_path):
        tifffile.imwrite(
            tmp_path / "a.tif", np.dstack([COLOURS, GREY8]), photometric="rgb", extrasamples=["unassalpha"]
        )
        np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), COLOURS)
        ink = np.zeros((2, 2, 4), np.uint8)
        ink[0, 0], ink[0, 1] = (255, 0, 0, 0), (0, 0, 0, 255)
        tifffile.imwrite(tmp_path / "c.tif", ink, photometric="separated")
        np.testing.assert_array_equal(pixels(tmp_path / "c.tif")[0], [[0, 255, 255], [0, 0, 0]])

    @pytest.mark.parametrize("photometric", ["cielab", "cfa"])
    def test_colours_that_nobody_here_can_show_are_refused(self, tmp_path, photometric):
        tifffile.imwrite(tmp_path / "a.tif", COLOURS if photometric == "cielab" else GREY8, photometric=photometric)
        with pytest.raises(ImageError, match="save it as RGB"):
            read_image(tmp_path / "a.tif")

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_what_lies_on_its_side_is_turned_with_its_pixel_size(self, tmp_path, orientation):
        tifffile.imwrite(
            tmp_path / "a.tif",
            np.stack([COLOURS] * 2),
            photometric="rgb",
            resolution=(1e4, 2e4),
            resolutionunit="CENTIMETER",
            extratags=[(274, "H", 1, orientation, True)],
        )
        with Image.open(tmp_path / "a.tif") as shown:
            expected = np.asarray(shown)
        micrograph = read_image(tmp_path / "a.tif", plane=1)
        np.testing.assert_array_equal(micrograph.pixels, expected)
        size = micrograph.calibration.in_unit("µm")
        assert (size.height, size.width) == ((1, 0.5) if orientation > 4 else (0.5, 1))


class TestAxes:
    def test_a_hyperstack_keeps_its_axes_and_its_channels(self, tmp_path):
        stack = RNG.integers(0, 65536, (3, 4, 2, 20, 30), dtype=np.uint16)
        tifffile.imwrite(tmp_path / "s.tif", stack, imagej=True, metadata={"axes": "TZCYX"})
        micrograph = read_image(tmp_path / "s.tif", plane=5)
        assert (micrograph.axes, micrograph.lengths, micrograph.channels) == ("TZ", (3, 4), 2)
        assert (micrograph.planes, micrograph.shape, micrograph.index) == (12, (20, 30), (1, 1))
        np.testing.assert_array_equal(micrograph.pixels, np.moveaxis(stack[1, 1], 0, -1))
        np.testing.assert_array_equal(micrograph.pixels_at((2, 3)), np.moveaxis(stack[2, 3], 0, -1))
        for problem, read in {
            r"12 plane.*no plane 12": lambda: micrograph.at(12),
            r"no plane \(3, 0\)": lambda: micrograph.pixels_at((3, 0)),
        }.items():
            with pytest.raises(ImageError, match=problem):
                read()

    def test_channels_between_the_planes(self, tmp_path):
        stack = RNG.integers(0, 256, (2, 3, 4, 20, 30), dtype=np.uint8)
        tifffile.imwrite(tmp_path / "s.ome.tif", stack, metadata={"axes": "TCZYX"}, photometric="minisblack")
        micrograph = read_image(tmp_path / "s.ome.tif")
        assert (micrograph.axes, micrograph.lengths, micrograph.channels) == ("TZ", (2, 4), 3)
        np.testing.assert_array_equal(micrograph.pixels_at((1, 2)), np.moveaxis(stack[1, :, 2], 0, -1))

    @pytest.mark.parametrize("channels", [2, 5, 13])
    def test_channels_last_without_tags_must_be_named(self, tmp_path, channels):
        image = RNG.integers(0, 256, (40, 50, channels), dtype=np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", image)
        with pytest.raises(ImageError, match=r"--axes YXC"):
            read_image(tmp_path / "a.tif")
        named = read_image(tmp_path / "a.tif", axes="yxc")
        assert (named.axes, named.channels) == ("", channels)
        np.testing.assert_array_equal(named.pixels, image)
        assert read_image(tmp_path / "a.tif", axes="ZYX").planes == 40

    def test_named_axes_count_only_where_the_file_says_nothing(self, tmp_path):
        tifffile.imwrite(tmp_path / "q.tif", STACK)
        assert read_image(tmp_path / "q.tif").axes == "Q"
        assert read_image(tmp_path / "q.tif", axes="TYX").axes == "T"
        assert read_image(tmp_path / "q.tif", axes="CYX").channels == 5
        tifffile.imwrite(tmp_path / "z.tif", STACK, imagej=True, metadata={"axes": "ZYX"})
        assert read_image(tmp_path / "z.tif", axes="TYX").axes == "Z"
        tifffile.imwrite(tmp_path / "plane.tif", GREY8)
        assert read_image(tmp_path / "plane.tif", axes="CYX").channels == 1
        with pytest.raises(ImageError, match=r"3 axes .* given as TCYX"):
            read_image(tmp_path / "q.tif", axes="TCYX")

    def test_planes_that_tifffile_took_for_colours(self, tmp_path):
        """What napari saves of four slices; three are RGB as the file says, unless the user says otherwise."""
        tifffile.imwrite(tmp_path / "four.tif", STACK[:4], photometric="rgb", planarconfig="separate")
        four = read_image(tmp_path / "four.tif")
        assert (four.axes, four.lengths, four.channels) == ("Q", (4,), 1)
        np.testing.assert_array_equal(four.stack, STACK[:4])
        opaque = np.stack([*STACK[:3], np.full((40, 50), 255, np.uint8)])
        tifffile.imwrite(tmp_path / "rgba.tif", opaque, photometric="rgb", planarconfig="separate")
        np.testing.assert_array_equal(pixels(tmp_path / "rgba.tif"), np.moveaxis(STACK[:3], 0, -1))
        tifffile.imwrite(tmp_path / "three.tif", STACK[:3], photometric="rgb", planarconfig="separate")
        assert read_image(tmp_path / "three.tif").channels == 3
        assert read_image(tmp_path / "three.tif", axes="ZYX").lengths == (3,)


class TestSeries:
    def test_pages_written_one_by_one_are_planes(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            for plane in STACK:
                file.write(plane, compression="zlib")
        micrograph = read_image(tmp_path / "a.tif")
        assert (micrograph.axes, micrograph.lengths) == ("Q", (5,))
        np.testing.assert_array_equal(micrograph.stack, STACK)

    def test_pages_of_colours_are_planes(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            for _ in range(3):
                file.write(COLOURS, photometric="rgb")
        micrograph = read_image(tmp_path / "a.tif")
        assert (micrograph.axes, micrograph.lengths, micrograph.channels) == ("Q", (3,), 3)
        np.testing.assert_array_equal(micrograph.pixels, COLOURS)

    def test_positions_are_an_axis(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
            for position in range(3):
                file.write(STACK + position, metadata={"axes": "TYX"})
        micrograph = read_image(tmp_path / "a.ome.tif")
        assert (micrograph.axes, micrograph.lengths) == ("RT", (3, 5))
        np.testing.assert_array_equal(micrograph.pixels_at((2, 4)), STACK[4] + 2)

    def test_images_of_different_shapes_are_refused(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            file.write(GREY8)
            file.write(GREY8[:30])
        with pytest.raises(ImageError, match=r"2 images of different shapes.*40 x 50, 30 x 50"):
            read_image(tmp_path / "a.tif")

    @pytest.mark.parametrize("tagged", [True, False])
    def test_thumbnails_and_pyramids_give_the_full_picture(self, tmp_path, tagged):
        reduced = {"subfiletype": 1} if tagged else {}
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            file.write(GREY8[::4, ::4], metadata=None, **reduced)
            file.write(GREY8, metadata=None)
            file.write(GREY8[::2, ::2], metadata=None, **reduced)
        np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), GREY8)
        with tifffile.TiffWriter(tmp_path / "s.ome.tif") as file:
            file.write(GREY8, subifds=1)
            file.write(GREY8[::2, ::2], subfiletype=1)
        np.testing.assert_array_equal(pixels(tmp_path / "s.ome.tif"), GREY8)

    def test_a_thumbnail_alone_is_refused(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", GREY8, subfiletype=1)
        with pytest.raises(ImageError, match="only a thumbnail"):
            read_image(tmp_path / "a.tif")

    def test_an_image_in_several_files_is_whole_or_refused(self, tmp_path):
        paths = _three_files(tmp_path)
        for path in paths:
            whole = read_image(path)
            np.testing.assert_array_equal(whole.stack, STACK[:3])
            assert {path, *whole.others} == set(paths)
        (tmp_path / "s2.ome.tif").unlink()
        with pytest.raises(ImageError, match=r"lies in several, and s2\.ome\.tif cannot be found"):
            read_image(tmp_path / "s1.ome.tif")


class TestSize:
    def test_large_files_are_mapped_and_read_as_the_same(self, tmp_path, monkeypatch):
        tifffile.imwrite(tmp_path / "a.tif", GREY16)
        monkeypatch.setattr(tiff, "MAPPED_BYTES", 1)
        mapped = read_image(tmp_path / "a.tif").pixels
        assert isinstance(mapped, np.memmap)
        np.testing.assert_array_equal(model_image(mapped).whole(), model_image(GREY16).whole())

    def test_large_compressed_stacks_are_decoded_plane_by_plane(self, tmp_path, monkeypatch):
        stack = RNG.integers(0, 256, (2, 3, 4, 20, 30), dtype=np.uint8)
        tifffile.imwrite(
            tmp_path / "a.ome.tif",
            stack,
            metadata={"axes": "TCZYX"},
            photometric="minisblack",
            compression="zlib",
            extratags=[(274, "H", 1, 6, True)],
        )
        at_once = read_image(tmp_path / "a.ome.tif")
        monkeypatch.setattr(tiff, "MAPPED_BYTES", 1)
        lazily = read_image(tmp_path / "a.ome.tif")
        assert isinstance(lazily.stack, lazy.DecodedPlanes)
        assert (lazily.axes, lazily.lengths, lazily.shape) == ("TZ", (2, 4), (30, 20))
        np.testing.assert_array_equal(np.asarray(lazily.stack), at_once.stack)
        np.testing.assert_array_equal(lazily.pixels_at((1, 2)), np.rot90(np.moveaxis(stack[1, :, 2], 0, -1), -1))

    def test_a_page_that_lies_about_its_size_is_a_sentence_when_it_is_reached(self, tmp_path, monkeypatch):
        tifffile.imwrite(tmp_path / "a.tif", STACK, compression="zlib", metadata=None)
        monkeypatch.setattr(tiff, "MAPPED_BYTES", 1)
        micrograph = read_image(tmp_path / "a.tif")
        with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
            file.pages[1].tags["ImageLength"].overwrite(20)
        np.testing.assert_array_equal(micrograph.pixels_at((0,)), STACK[0])
        with pytest.raises(ImageError, match="damaged"):
            micrograph.pixels_at((1,))

    def test_large_palettes_and_negatives_are_converted_where_they_are_seen(self, tmp_path, monkeypatch):
        colormap = RNG.integers(0, 256, (3, 256)).astype(np.uint16) * 257
        tifffile.imwrite(tmp_path / "p.tif", STACK, photometric="palette", colormap=colormap)
        tifffile.imwrite(tmp_path / "w.tif", STACK, photometric="miniswhite")
        monkeypatch.setattr(tiff, "MAPPED_BYTES", 1)
        expected = (colormap // 257).T.astype(np.uint8)[STACK]
        palette, negative = (read_image(tmp_path / name, plane=2) for name in ("p.tif", "w.tif"))
        for micrograph, all_planes in ((palette, expected), (negative, 255 - STACK)):
            plane = micrograph.pixels
            assert isinstance(plane, lazy.ConvertedArray)
            assert (plane.shape, plane.dtype) == (all_planes.shape[1:], np.uint8)
            np.testing.assert_array_equal(plane[5:9, ::7], all_planes[2][5:9, ::7])
            np.testing.assert_array_equal(np.asarray(plane), all_planes[2])
            np.testing.assert_array_equal(np.asarray(micrograph.stack), all_planes)
        np.testing.assert_array_equal(palette.pixels[..., 1], expected[2][..., 1])

    def test_an_empty_movie_is_no_bomb(self, tmp_path, monkeypatch):
        """Every page is small; that there are many is nothing to refuse."""
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 500, 500), np.uint8), compression="zstd")
        monkeypatch.setattr("patchfield.images.readers.decoding.MAX_CLAIMED_BYTES", 2**20)
        assert read_image(tmp_path / "a.tif").planes == 20

    def test_a_small_file_that_claims_the_moon_is_refused_before_memory_is_taken(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", GREY8, compression="zlib")
        content = (tmp_path / "a.tif").read_bytes()
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            tags = file.pages.first.tags
            offsets = [tags[name].offset + 8 for name in ("ImageWidth", "ImageLength", "RowsPerStrip")]
        damaged = bytearray(content)
        for offset in offsets:
            damaged[offset - 6 : offset + 4] = np.array([4], "<u2").tobytes() + np.array([1, 100_000], "<u4").tobytes()
        (tmp_path / "a.tif").write_bytes(damaged)
        with pytest.raises(ImageError, match=r"claims an image of 100000 x 100000 \(9\.3 GiB\)"):
            read_image(tmp_path / "a.tif")


def test_codecs_that_bring_the_process_down_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY8, compression="jpegxr")
    with pytest.raises(ImageError, match="JPEGXR"):
        read_image(tmp_path / "a.tif")


def test_xml_without_an_image_is_no_traceback(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", GREY8, description="<OME/>", metadata=None)
    np.testing.assert_array_equal(pixels(tmp_path / "a.ome.tif"), GREY8)


def _four_bits(path):
    """GREY8 in four bits a pixel, which tifffile reads and does not write: two in every byte."""
    few = GREY8 // 16
    tifffile.imwrite(path, few[:, ::2] * 16 + few[:, 1::2], metadata=None)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["ImageWidth"].overwrite(50)
        file.pages.first.tags["BitsPerSample"].overwrite(4)
    return path


def _three_files(folder):
    """One OME image of three slices, each in a file of its own."""
    names = [f"s{z}.ome.tif" for z in range(3)]
    ids = [f"urn:uuid:{uuid.UUID(int=z)}" for z in range(3)]
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{names[z]}">{ids[z]}</UUID></TiffData>'
        for z in range(3)
    )
    for z in range(3):
        xml = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{ids[z]}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
            'SizeX="50" SizeY="40" SizeZ="3" SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
            f"{planes}</Pixels></Image></OME>"
        )
        tifffile.imwrite(folder / names[z], STACK[z], description=xml, metadata=None)
    return [folder / name for name in names]
