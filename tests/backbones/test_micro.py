"""Small networks as backbones: files, contrast, tiles."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import patchfield as pf
from patchfield.backbones.micro import SHIPPED, Micro, MicroNet, MicroSpec, read_micro, write_micro
from patchfield.backbones.published import MICRO
from patchfield.errors import BackboneError
from patchfield.testing import BackboneTests

SMALL = MicroSpec(widths=(8, 12, 16), blocks=(1, 1, 1), channels=10)
ENERGIES = (0.1, 0.12, 0.15, 0.2, 0.2)


@pytest.fixture(scope="module")
def net() -> MicroNet:
    """A small network whose statistics have seen something."""
    torch.manual_seed(0)
    net = MicroNet(SMALL).train()
    for _ in range(3):
        net(torch.randn(2, 3, 64, 64), ENERGIES)
    return net.eval()


@pytest.fixture
def file(net, tmp_path):
    path = tmp_path / "small.safetensors"
    write_micro(path, net, {"summary": "for a test"})
    return path


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (150, 213), dtype=np.uint8)


def test_the_shipped_network_is_small_and_loads():
    assert SHIPPED.stat().st_size <= 4_000_000
    backbone = pf.load_backbone("micro")
    assert [(level.pitch, level.patch) for level in backbone.levels] == [(2, 2)]
    assert sum(parameter.numel() for parameter in read_micro(SHIPPED).parameters()) == MICRO.parameters


def test_a_file_gives_back_the_network_to_half_precision(net, file):
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        kept, read = net(images, ENERGIES), read_micro(file)(images, ENERGIES)
    assert (kept - read).norm() / kept.norm() < 1e-3


def test_folding_the_normalisations_changes_nothing(net, file):
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        net = read_micro(file)
        before = net(images, ENERGIES)
        torch.testing.assert_close(net.fused()(images, ENERGIES), before, atol=1e-4, rtol=1e-3)


def test_features_do_not_depend_on_brightness_and_contrast(file, image):
    backbone = pf.load_backbone(file, device="cpu")
    darker = (image * 0.5 + 20).astype(np.float32) / 255
    first = pf.extract(image, backbone, "fast", contrast="auto")
    second = pf.extract(darker, backbone, "fast", contrast=(0.0, 1.0))
    np.testing.assert_allclose(first.dense(), second.dense(), atol=0.02 * np.abs(first.dense()).max())


def test_a_network_may_have_fewer_grids_than_the_filter_bank(tmp_path):
    write_micro(tmp_path / "flat.safetensors", MicroNet(MicroSpec((8, 8), (1, 1), 4)))
    field = pf.extract(np.random.default_rng(1).random((33, 21)), pf.load_backbone(tmp_path / "flat.safetensors"))
    assert field.dense().shape == (4, 33, 21)


@pytest.mark.parametrize("shape", [(150, 213), (33, 16), (5, 7), (1, 1)])
def test_every_size_of_image_has_features(file, shape):
    field = pf.extract(np.random.default_rng(1).random(shape), pf.load_backbone(file, device="cpu"))
    dense = field.dense()
    assert dense.shape == (SMALL.channels, *shape)
    assert np.isfinite(dense).all()


def test_crops_join_without_seams(file, monkeypatch):
    image = np.random.default_rng(2).random((200, 300)).astype(np.float32)
    backbone = pf.load_backbone(file, device="cpu")
    whole = pf.extract(image, backbone, "fast").dense()
    monkeypatch.setattr(Micro, "tile", 128)
    cut = pf.extract(image, backbone, "fast").dense()
    difference = np.abs(cut - whole).max(0) / whole.std()
    assert np.median(difference) < 0.05


def test_sub_patch_phases_are_one_view_at_this_pitch(file, image):
    backbone = pf.load_backbone(file, device="cpu")
    assert pf.extract(image, backbone, "balanced").nbytes == pf.extract(image, backbone, "fast").nbytes


def test_it_joins_with_filters(file, image):
    field = pf.extract(image, pf.load_backbone(file, device="cpu")) | pf.extract(image, "filters")
    assert field.channels == SMALL.channels + pf.load_backbone("filters").channels


def test_exported_networks_are_listed_and_load_by_name(net, tmp_path, monkeypatch):
    monkeypatch.setenv("PATCHFIELD_WEIGHTS", str(tmp_path))
    write_micro(tmp_path / "ours.safetensors", net, {"summary": "for a test"})
    (listed,) = [weight for weight in pf.models() if weight.name == "ours"]
    assert (listed.summary, listed.channels) == ("for a test", SMALL.channels)
    assert pf.load_backbone("ours").name == "ours"


def test_other_weights_have_another_fingerprint(net, file, tmp_path):
    changed = read_micro(file)
    with torch.no_grad():
        changed.fine_features.weight[0, 0, 0, 0] += 1
    write_micro(tmp_path / "changed.safetensors", changed)
    names = ("small", "small", "changed")
    first, again, other = (pf.load_backbone(tmp_path / f"{name}.safetensors").fingerprint for name in names)
    assert first == again != other


def test_options_of_transformers_are_refused(file):
    with pytest.raises(BackboneError, match="stride"):
        pf.load_backbone(file, stride=1)


def test_a_file_that_does_not_hold_what_it_says_is_refused(file):
    rewrite_header(file, lambda header: header["spec"].update(widths=[8, 12, 24]))
    with pytest.raises(BackboneError, match=r"small\.safetensors.*not what its header says"):
        pf.load_backbone(file)


def test_a_file_of_another_filter_bank_is_refused(file, monkeypatch):
    monkeypatch.setattr("patchfield.backbones.filters.bank.VERSIONS", {"middle": 10_000})
    with pytest.raises(BackboneError, match=r"small\.safetensors.* another version"):
        pf.load_backbone(file)


def test_a_network_is_used_with_the_reference_it_was_trained_with_or_was_used_with(net, file, image, tmp_path):
    write_micro(tmp_path / "earlier.safetensors", net, reference="median")
    backbone, earlier = (pf.load_backbone(path, device="cpu") for path in (file, tmp_path / "earlier.safetensors"))
    assert (backbone.reference, earlier.reference) == ("middle", "median")
    assert backbone.fingerprint != earlier.fingerprint
    again = pf.load_backbone(file, device="cpu", fingerprint=earlier.fingerprint)
    assert again.fingerprint == earlier.fingerprint
    fields = [pf.extract(image.astype(np.uint16) ** 2, used, "fast").dense() for used in (earlier, again, backbone)]
    np.testing.assert_array_equal(fields[1], fields[0])
    assert np.abs(fields[2] - fields[0]).max() > 0.01


def test_files_written_before_there_were_kinds_load(file):
    fingerprint = pf.load_backbone(file).fingerprint
    with safe_open(file, framework="pt") as opened:
        header = json.loads(opened.metadata()["patchfield"])
    assert header.pop("kind") == "micro"
    save_file(load_file(file), file, metadata={"patchfield-micro": json.dumps(header)})
    assert pf.load_backbone(file).fingerprint == fingerprint


def test_networks_with_nan_or_infinity_are_neither_written_nor_read(net, file, tmp_path):
    tensors = load_file(file)
    tensors["up.0.bias"][0] = np.nan
    with safe_open(file, framework="pt") as opened:
        save_file(tensors, file, metadata=opened.metadata())
    with pytest.raises(BackboneError, match=r"small\.safetensors.*'up\.0\.bias' holds NaN"):
        pf.load_backbone(file)
    huge = read_micro(write_micro(tmp_path / "copy.safetensors", net) or tmp_path / "copy.safetensors")
    with torch.no_grad():
        huge.stem.convolution.weight[0, 0, 0, 0] = 1e6  # infinite in half precision
    with pytest.raises(BackboneError, match="infinite or too large"):
        write_micro(tmp_path / "huge.safetensors", huge)
    assert not (tmp_path / "huge.safetensors").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("widths", [10**9, 12, 16]),
        ("widths", [8] * 100_000),
        ("widths", []),
        ("widths", 8),
        ("blocks", [1, 1, -1]),
        ("blocks", [1, 1, "1"]),
        ("channels", 0),
        ("channels", None),
        ("dilation", 2),
    ],
)
def test_hostile_headers_are_refused_before_anything_is_built(file, key, value):
    rewrite_header(file, lambda header: header["spec"].update({key: value}))
    with pytest.raises(BackboneError, match=r"small\.safetensors"):
        pf.load_backbone(file)


def rewrite_header(file, change):
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    header = json.loads(metadata["patchfield"])
    change(header)
    save_file(load_file(file), file, metadata={**metadata, "patchfield": json.dumps(header)})


class TestMicro(BackboneTests):
    @pytest.fixture
    def backbone(self, file):
        return pf.load_backbone(file, device="cpu")

    @pytest.fixture
    def again(self, file):
        return pf.load_backbone(file, device="cpu")

    @pytest.fixture
    def others(self, tmp_path):
        write_micro(tmp_path / "others.safetensors", MicroNet(SMALL))
        return [pf.load_backbone(tmp_path / "others.safetensors", device="cpu"), pf.load_backbone("micro")]
