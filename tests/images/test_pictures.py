"""PNG, JPEG, GIF and others as viewers show them."""

import os

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps

from patchfield.errors import ImageError
from patchfield.images import read_image
from patchfield.images.readers import decoding, lazy, pictures

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (40, 50), dtype=np.uint16)
COLOURS = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (GREY8, GREY8),
        (GREY16, GREY16),
        (COLOURS, COLOURS),
        (np.dstack([COLOURS, GREY8]), COLOURS),
        (np.dstack([GREY8, GREY8]), GREY8),
        (np.dstack([GREY16] * 3), np.dstack([GREY16] * 3)),
        (np.dstack([GREY16] * 4), np.dstack([GREY16] * 3)),
        (np.dstack([GREY16] * 2), GREY16),
    ],
    ids=["8", "16", "rgb", "rgba", "la", "rgb16", "rgba16", "la16"],
)
def test_png_values_survive_without_alpha(tmp_path, image, expected):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, expected)


def test_jpeg_palette_cmyk_and_bits(tmp_path):
    smooth = np.dstack([np.linspace(0, 255, 50).astype(np.uint8) * np.ones((40, 1), np.uint8)] * 3)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(smooth).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    for name in ("a.jpg", "cmyk.jpg"):
        assert np.abs(read_image(tmp_path / name).pixels.astype(int) - smooth).max() < 12
    Image.fromarray(GREY8 > 99).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png").pixels, GREY8 > 99)
    Image.fromarray(COLOURS // 128 * 255).convert("P").save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png").pixels, COLOURS // 128 * 255)


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_viewers_turn_it(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(COLOURS).save(tmp_path / f"a.{suffix}", exif=exif, lossless=True, dpi=(1e5, 2e5))
    with Image.open(tmp_path / f"a.{suffix}") as image:
        shown = np.asarray(ImageOps.exif_transpose(image))
    micrograph = read_image(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(micrograph.pixels, shown)
    assert micrograph.orientation == orientation
    if suffix == "png":
        size = micrograph.calibration
        assert (size.height > size.width) == (orientation > 4)


def test_sixteen_bit_colours_are_turned_too(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    plain = imagecodecs.png_encode(np.dstack([GREY16, GREY16 // 2, GREY16 // 3]))
    chunk = exif.tobytes().removeprefix(b"Exif\0\0")
    head = 8 + 25
    (tmp_path / "a.png").write_bytes(plain[:head] + _png_chunk(b"eXIf", chunk) + plain[head:])
    micrograph = read_image(tmp_path / "a.png")
    assert micrograph.dtype == np.uint16
    np.testing.assert_array_equal(micrograph.pixels[..., 0], np.rot90(GREY16, -1))


class TestFrames:
    FRAMES = RNG.integers(0, 256, (4, 40, 50), dtype=np.uint8)

    @pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
    def test_frames_are_planes(self, tmp_path, suffix):
        micrograph = read_image(self._movie(tmp_path, suffix))
        assert (micrograph.axes, micrograph.lengths, micrograph.channels) == ("Q", (4,), 1 if suffix != "webp" else 3)
        first = micrograph.stack if suffix != "webp" else micrograph.stack[..., 0]
        np.testing.assert_array_equal(first, self.FRAMES)

    def test_only_the_wanted_frame_of_a_large_movie_is_kept(self, tmp_path, monkeypatch):
        monkeypatch.setattr(pictures, "EAGER_BYTES", 1)
        micrograph = read_image(self._movie(tmp_path, "gif"), plane=2)
        assert isinstance(micrograph.stack, lazy.DecodedPlanes)
        np.testing.assert_array_equal(micrograph.pixels, self.FRAMES[2])

    @pytest.mark.parametrize("eager", [True, False])
    def test_grey_and_coloured_frames_together(self, tmp_path, monkeypatch, eager):
        colours = Image.fromarray(COLOURS // 128 * 255)
        grey = Image.fromarray(self.FRAMES[0] // 128 * 255)
        colours.save(tmp_path / "c.gif", save_all=True, append_images=[grey.convert("RGB")])
        grey.save(tmp_path / "g.gif", save_all=True, append_images=[colours])
        if not eager:
            monkeypatch.setattr(pictures, "EAGER_BYTES", 1)
        beginning = read_image(tmp_path / "c.gif")
        assert beginning.channels == 3
        np.testing.assert_array_equal(beginning.pixels_at((1,))[..., 0], self.FRAMES[0] // 128 * 255)
        if eager:
            np.testing.assert_array_equal(read_image(tmp_path / "g.gif").pixels_at((1,)), COLOURS // 128 * 255)
        else:
            with pytest.raises(ImageError, match="begins in grey, and frame 1 has colours"):
                read_image(tmp_path / "g.gif").pixels_at((1,))

    @pytest.mark.parametrize("eager", [True, False])
    def test_frames_that_hold_only_what_changes(self, tmp_path, monkeypatch, eager):
        """Pillow opens those as RGB; they are as grey as the first."""
        movie = np.zeros((6, 40, 50), np.uint8)
        for number in range(6):
            movie[number, 4 * number : 4 * number + 8, 5:30] = 200
        first, *others = (Image.fromarray(frame) for frame in movie)
        first.save(tmp_path / "m.gif", save_all=True, append_images=others)
        if not eager:
            monkeypatch.setattr(pictures, "EAGER_BYTES", 1)
        micrograph = read_image(tmp_path / "m.gif")
        assert micrograph.channels == 1
        np.testing.assert_array_equal(np.asarray(micrograph.stack), movie)

    @pytest.mark.parametrize("eager", [True, False])
    def test_frames_of_different_sizes_are_refused(self, tmp_path, monkeypatch, eager):
        content = bytearray(self._movie(tmp_path, "gif").read_bytes())
        second = content.index(b"\x2c", content.index(b"\x2c" + bytes(4)) + 1)
        while bytes(content[second : second + 9]) != b"\x2c" + bytes(4) + b"\x32\0\x28\0":
            second = content.index(b"\x2c", second + 1)
        content[second + 5] = 60
        (tmp_path / "m.gif").write_bytes(content)
        if not eager:
            monkeypatch.setattr(pictures, "EAGER_BYTES", 1)
        with pytest.raises(ImageError, match=r"different sizes|damaged"):
            np.asarray(read_image(tmp_path / "m.gif").pixels_at((1,)))

    def _movie(self, folder, suffix):
        first, *others = (Image.fromarray(frame) for frame in self.FRAMES)
        options = {"lossless": True} if suffix == "webp" else {}
        first.save(folder / f"m.{suffix}", save_all=True, append_images=others, **options)
        return folder / f"m.{suffix}"


class TestSize:
    def test_mosaics_of_any_size_are_read_and_pillows_limit_stays_for_others(self, tmp_path, monkeypatch):
        Image.fromarray(GREY8).save(tmp_path / "a.png")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, GREY8)
        assert Image.MAX_IMAGE_PIXELS == 100

    def test_a_small_file_that_claims_the_moon_is_refused_before_memory_is_taken(self, tmp_path):
        header = np.array([100_000, 100_000], ">u4").tobytes() + bytes([8, 0, 0, 0, 0])
        content = b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", b"x" * 100)
        (tmp_path / "a.png").write_bytes(content + _png_chunk(b"IEND", b""))
        with pytest.raises(ImageError, match=r"claims an image of 100000 x 100000 \(9\.3 GiB\)"):
            read_image(tmp_path / "a.png")

    def test_an_empty_scan_is_no_bomb(self, tmp_path, monkeypatch):
        """Deflate packs a constant picture a thousandfold; that alone is nothing to refuse."""
        Image.fromarray(np.zeros((3000, 3000), np.uint8)).save(tmp_path / "a.png")
        monkeypatch.setattr(decoding, "MAX_CLAIMED_BYTES", 1)
        assert read_image(tmp_path / "a.png").shape == (3000, 3000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ImageError, match="pipe"):
        read_image(tmp_path / "a.png")


def test_drawings_that_another_program_would_draw_are_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n")
    with pytest.raises(ImageError, match="drawing"):
        read_image(tmp_path / "a.png")


def _png_chunk(kind, content):
    import zlib

    checked = kind + content
    return len(content).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")
