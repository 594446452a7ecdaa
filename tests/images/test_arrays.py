"""Arrays of other programs: NumPy, HDF5 as ilastik writes it, OME-Zarr."""

import json
import pickle

import numpy as np
import pytest

from patchfield.errors import ImageError, LabelError
from patchfield.images import Calibration, read_image, read_label_stack, read_labels

RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 4, (5, 40, 50), dtype=np.uint8)
COLOURS = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)


class TestNumPy:
    def test_planes_colours_and_named_axes(self, tmp_path):
        np.save(tmp_path / "s.npy", STACK)
        assert (read_image(tmp_path / "s.npy").axes, read_image(tmp_path / "s.npy", axes="TYX").axes) == ("Q", "T")
        np.testing.assert_array_equal(read_image(tmp_path / "s.npy", plane=3).pixels, STACK[3])
        np.testing.assert_array_equal(read_labels(tmp_path / "s.npy"), STACK)
        np.save(tmp_path / "c.npy", COLOURS)
        np.testing.assert_array_equal(read_image(tmp_path / "c.npy").pixels, COLOURS)
        np.save(tmp_path / "h.npy", COLOURS.astype(np.float32))
        with pytest.raises(ImageError, match="--axes YXC"):
            read_image(tmp_path / "h.npy")

    def test_one_array_of_an_archive(self, tmp_path):
        np.savez(tmp_path / "one.npz", anything=STACK[0])
        np.testing.assert_array_equal(read_image(tmp_path / "one.npz").pixels, STACK[0])
        np.savez(tmp_path / "two.npz", a=STACK[0], masks=STACK[1])
        np.testing.assert_array_equal(read_labels(tmp_path / "two.npz"), STACK[1])
        np.savez(tmp_path / "three.npz", a=STACK[0], b=STACK[1])
        with pytest.raises(ImageError, match=r"holds 2 arrays \(a, b\)"):
            read_image(tmp_path / "three.npz")

    def test_python_objects_are_never_loaded(self, tmp_path):
        np.save(tmp_path / "x_seg.npy", {"masks": STACK[0]}, allow_pickle=True)
        for read in (read_image, read_labels):
            with pytest.raises(ImageError, match=r"may run code.*Save masks as PNG/tif"):
                read(tmp_path / "x_seg.npy")
        (tmp_path / "bare.npy").write_bytes(pickle.dumps(STACK))
        with pytest.raises(ImageError):
            read_image(tmp_path / "bare.npy")

    @pytest.mark.parametrize("array", [np.zeros(5), np.zeros((4, 4), complex), np.array([["a", "b"]])])
    def test_what_is_no_image_is_refused(self, tmp_path, array):
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(ImageError, match=r"shape|integers, floats or booleans"):
            read_image(tmp_path / "a.npy")


class TestHDF5:
    def test_axes_and_spacing_of_ilastik(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        stack = RNG.integers(0, 9, (4, 3, 20, 30, 2), dtype=np.uint8)
        with h5py.File(tmp_path / "a.h5", "w") as file:
            dataset = file.create_dataset("exported_data", data=stack)
            dataset.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "tzyxc"]})
            dataset.attrs["element_size_um"] = [2.0, 0.5, 0.25]
            file["other"] = STACK
        micrograph = read_image(tmp_path / "a.h5")
        assert (micrograph.axes, micrograph.lengths, micrograph.channels) == ("TZ", (4, 3), 2)
        assert micrograph.calibration == Calibration(0.5, 0.25, "µm", depth=2.0)
        np.testing.assert_array_equal(micrograph.pixels_at((3, 1)), stack[3, 1])

    def test_labels_with_a_single_channel(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "a.h5", "w") as file:
            dataset = file.create_dataset("exported_data", data=STACK[..., None])
            dataset.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "zyxc"]})
        labels = read_label_stack(tmp_path / "a.h5")
        assert labels.axes == "Z"
        np.testing.assert_array_equal(labels.values, STACK)

    def test_several_arrays_are_named_in_the_refusal(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["one"], file["two/three"] = STACK, STACK
        with pytest.raises(ImageError, match=r"2 arrays \(one, two/three\)"):
            read_image(tmp_path / "a.h5")

    def test_a_project_of_ilastik_says_what_to_export(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "a.ilp", "w") as file:
            file["PixelClassification/LabelSets/labels000/block0000"] = STACK
        with pytest.raises(ImageError, match="project of ilastik: export"):
            read_labels(tmp_path / "a.ilp")


class TestZarr:
    @pytest.mark.parametrize("version", [2, 3])
    def test_ome_zarr_is_read_plane_by_plane_with_its_axes_and_scale(self, tmp_path, version):
        zarr = pytest.importorskip("zarr")
        stack = RNG.integers(0, 9, (2, 3, 4, 20, 30), dtype=np.uint16)
        axes = [{"name": "t", "type": "time", "unit": "second"}, {"name": "c", "type": "channel"}]
        axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
        levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [5, 1, 2, 0.5, 0.25]}]}]
        scales = {"multiscales": [{"axes": axes, "datasets": levels}]}
        group = zarr.create_group(str(tmp_path / "a.zarr"), zarr_format=version)
        group.create_array("0", data=stack)
        group.attrs.update({"ome": scales} if version == 3 else scales)
        micrograph = read_image(tmp_path / "a.zarr")
        assert (micrograph.axes, micrograph.lengths, micrograph.channels) == ("TZ", (2, 4), 3)
        assert micrograph.calibration == Calibration(0.5, 0.25, "µm", depth=2.0, interval=5.0)
        np.testing.assert_array_equal(micrograph.pixels_at((1, 2)), np.moveaxis(stack[1, :, 2], 0, -1))
        np.testing.assert_array_equal(np.asarray(micrograph.stack)[3], np.moveaxis(stack[0, :, 3], 0, -1))

    def test_a_damaged_chunk_is_a_sentence_when_it_is_reached(self, tmp_path):
        zarr = pytest.importorskip("zarr")
        zarr.save_array(str(tmp_path / "a.zarr"), STACK, zarr_format=2)
        for chunk in (tmp_path / "a.zarr").glob("0*"):
            chunk.write_bytes(b"x")
        micrograph = read_image(tmp_path / "a.zarr")
        with pytest.raises(ImageError, match="damaged"):
            micrograph.pixels_at((0,))


@pytest.mark.parametrize(("name", "package"), [("a.h5", "h5py"), ("a.zarr", "zarr")])
def test_a_missing_package_is_named(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    if package == "h5py":
        (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    else:
        (tmp_path / name).mkdir()
        (tmp_path / name / "zarr.json").write_text("{}")
    with pytest.raises(ImageError, match=f"pip install {package}"):
        read_image(tmp_path / name)


def test_fractions_are_no_labels(tmp_path):
    np.save(tmp_path / "a.npy", STACK / 3)
    with pytest.raises(LabelError, match="fractions"):
        read_labels(tmp_path / "a.npy")
