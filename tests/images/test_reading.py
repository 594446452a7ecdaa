"""What no reader can read gets one sentence; what lies around reads as before."""

from contextlib import suppress

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from patchfield.errors import ImageError, PatchfieldError
from patchfield.images import model_image, plane_indices, read_image, read_labels, write_labels
from patchfield.images.readers import decoding

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (40, 50), dtype=np.uint16)


def test_what_cannot_be_read_gets_one_sentence(tmp_path):
    tifffile.imwrite(tmp_path / "cut.tif", GREY16)
    (tmp_path / "cut.tif").write_bytes((tmp_path / "cut.tif").read_bytes()[:2000])
    tifffile.imwrite(tmp_path / "short.tif", np.stack([GREY16] * 6), imagej=True, metadata={"axes": "ZYX"})
    (tmp_path / "short.tif").write_bytes((tmp_path / "short.tif").read_bytes()[:9000])
    (tmp_path / "cut.png").write_bytes(imagecodecs.png_encode(GREY8)[:800])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "nothing.png").write_bytes(b"")
    sentences = {
        "cut.tif": "damaged",
        "short.tif": "cut short",
        "cut.png": "damaged",
        "text.png": "save it as TIFF, PNG or JPEG",
        "nothing.png": "save it as TIFF, PNG or JPEG",
        "none.tif": "does not exist",
        "": "is a folder",
    }
    for name, sentence in sentences.items():
        for read in (read_image, read_labels):
            with pytest.raises(ImageError, match=sentence) as caught:
                read(tmp_path / name)
            assert str(tmp_path / name) in str(caught.value)
            assert "\n" not in str(caught.value)


def test_file_names_of_any_encoding(tmp_path):
    """A name that is not UTF-8, as old archives hold, is read and can be shown in any sentence."""
    name = "gr\udcf6sse"
    try:
        Image.fromarray(GREY8).save(tmp_path / f"{name}.png")
    except OSError:
        pytest.skip("the file system takes no such name")
    np.testing.assert_array_equal(read_image(tmp_path / f"{name}.png").pixels, GREY8)
    write_labels(tmp_path / f"{name}.tif", GREY8)
    np.testing.assert_array_equal(read_labels(tmp_path / f"{name}.tif"), GREY8)
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / f"{name}.gif")
    assert str(caught.value).encode("ascii").endswith(b"gr\\udcf6sse.gif does not exist.")


def test_damaged_bytes_never_escape_as_another_error(tmp_path):
    contents = {"a.png": imagecodecs.png_encode(GREY16)}
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY8] * 3), photometric="rgb", compression="zlib")
    tifffile.imwrite(tmp_path / "p.tif", GREY8, photometric="palette", colormap=RNG.integers(0, 65535, (3, 256)))
    tifffile.imwrite(tmp_path / "o.ome.tif", np.stack([GREY8] * 3), metadata={"axes": "ZYX", "PhysicalSizeX": 1})
    Image.fromarray(GREY8).save(tmp_path / "g.gif", save_all=True, append_images=[Image.fromarray(GREY8[::-1])])
    np.save(tmp_path / "n.npy", GREY8)
    np.savez(tmp_path / "n.npz", GREY8)
    contents |= {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name, content in contents.items():
        for _ in range(40):
            damaged = bytearray(content)
            for position in RNG.integers(4, min(len(content), 400), 8):
                damaged[position] = RNG.integers(256)
            (tmp_path / name).write_bytes(damaged)
            for read in (read_image, read_labels):
                with suppress(PatchfieldError):
                    read(tmp_path / name)


def test_an_error_of_our_own_is_not_called_a_damaged_file(tmp_path, monkeypatch):
    """Only what decoders raise is; the rest keeps its traceback."""
    Image.fromarray(GREY8).save(tmp_path / "a.png")
    with pytest.raises(AttributeError), decoding.decoding(tmp_path / "a.png"):
        raise AttributeError("a bug")
    monkeypatch.setattr("patchfield.images.readers.pictures.turned", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        read_image(tmp_path / "a.png")


def test_too_little_memory_is_said_as_such(tmp_path):
    with pytest.raises(ImageError, match="more memory than there is"), decoding.decoding(tmp_path / "a.png"):
        raise MemoryError


def test_all_planes_of_a_file_are_stretched_alike(tmp_path):
    tifffile.imwrite(tmp_path / "s.tif", np.stack([GREY16 // 4, GREY16]), imagej=True, metadata={"axes": "ZYX"})
    stack = read_image(tmp_path / "s.tif")
    dark, bright = (model_image(stack, plane=index).whole() for index in plane_indices(stack))
    assert dark.max() < 0.3
    assert bright.max() == 1


def test_real_files(shared):
    files = sorted(shared.glob("data/*/image_*"))
    assert len(files) > 50
    for file in files[::5]:
        micrograph = read_image(file)
        mask = read_labels(next(file.parent.glob(f"mask_{file.stem.removeprefix('image_')}.*")))
        assert micrograph.shape == mask.shape
        prepared = model_image(micrograph, plane=micrograph.index).whole()
        assert prepared.min() >= 0
        assert 0.1 < prepared.max() <= 1
