"""`patchfield clusters`, `pca` and `attention`, run as a user runs them."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from patchfield.backbones import export_checkpoint, random_vit
from patchfield.images import read_image, read_labels
from tests.cli.conftest import SHAPE, picture, run

FILTERS = ("-b", "filters", "--sampling", "fast")


@pytest.fixture(scope="module")
def vit(tmp_path_factory) -> Path:
    """A tiny transformer in a file."""
    made = random_vit("vit_tiny_patch16_224", depth=2, img_size=32, embed_dim=48, num_heads=2, device="cpu")
    file = tmp_path_factory.mktemp("vit") / "tiny.safetensors"
    export_checkpoint(file, made.transformer.vit.state_dict(), made.spec)
    return file


def test_groups_are_shared_by_all_images_and_their_areas_are_written(scans, tmp_path, capsys):
    tifffile.imwrite(scans / "a.tif", picture()[:, ::-1].copy())
    options = ("--groups", "2", "--scale", "0", "--clusters", "20", *FILTERS)
    assert run("clusters", scans, "-o", tmp_path / "out", *options) == 0
    turned, plain = (read_labels(tmp_path / "out" / f"{name}_groups.tif") for name in "ab")
    assert set(np.unique(plain)) == {1, 2}
    assert (turned[:, ::-1] == plain).mean() > 0.9, "the same phases are the same groups"
    with (tmp_path / "out" / "groups.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["group 1", "group 2"] * 3
    assert sum(float(row["fraction"]) for row in rows) == pytest.approx(3)
    capsys.readouterr()
    assert run("clusters", scans, "-o", tmp_path / "out", *options) == 0
    assert "0 of 3 images grouped" in capsys.readouterr().out
    assert run("clusters", scans / "a.tif", "-o", tmp_path / "out", *options) == 1, "of other images"


def test_attention_decides_how_many_groups_there_are(scans, tmp_path, vit, capsys):
    options = ("-o", tmp_path / "out", "--rule", "attention", "--clusters", "10")
    assert run("clusters", scans / "a.tif", *options, "-b", "filters") == 1
    assert "vision transformer" in capsys.readouterr().err
    assert run("clusters", scans / "a.tif", *options, "-b", vit) == 0
    groups = read_labels(tmp_path / "out" / "a_groups.tif")
    assert 1 <= groups.max() <= 10


def test_one_bad_file_leaves_the_others(scans, tmp_path, capsys):
    (scans / "bad.tif").write_text("no image")
    for command in (("clusters", "--groups", "2"), ("pca",)):
        assert run(*command, scans, "-o", tmp_path / command[0], *FILTERS) == 1
        captured = capsys.readouterr()
        assert "3 of 4 images" in captured.out
        assert "bad.tif" in captured.err


def test_colours_are_those_of_all_images_unless_each_is_seen_by_itself(scans, tmp_path):
    tifffile.imwrite(scans / "b.tif", np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8))
    colours = {}
    for name, options in {
        "alone": (),
        "together": (scans / "b.tif",),
        "each": (scans / "b.tif", "--separately"),
    }.items():
        assert run("pca", scans / "a.tif", *options, "-o", tmp_path / name, *FILTERS) == 0
        colours[name] = read_image(tmp_path / name / "a_pca.png").pixels
    assert (colours["each"] == colours["alone"]).all()
    assert (colours["together"] != colours["alone"]).any()


def test_attention_is_written_as_a_map_by_head_facet_block_and_stride(scans, tmp_path, vit, capsys):
    maps = {}
    for options in ((), ("--head", "2"), ("--facet", "key"), ("--block", "0"), ("--stride", "8")):
        folder = tmp_path / "_".join(("out", *options))
        assert run("attention", scans / "a.tif", "-o", folder, "-b", vit, "--sampling", "fast", *options) == 0
        maps[options] = read_image(folder / "a_attention.tif").pixels
        assert maps[options].shape == SHAPE
    assert all((maps[()] != other).any() for options, other in maps.items() if options)
    assert 0.3 < maps[()].mean() < 1.2
    assert run("attention", scans / "a.tif", "-o", tmp_path / "o", "-b", vit, "--head", "9") == 1
    assert "head 9" in capsys.readouterr().err
    assert run("attention", scans / "a.tif", "-o", tmp_path / "o", "-b", "filters") == 1
