"""`patchfield compare`, on folders and backbones that the tests make."""

import json
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

import patchfield.backbones.catalogue
import patchfield.evaluate.report
from patchfield.cli import main
from patchfield.testing.backbones import PatchColours

COLOURS = np.array([[0, 0, 0], [250, 40, 40], [40, 250, 40], [40, 40, 250]], np.uint8)
QUICK = ("--sampling", "fast", "--pixels", "20", "--cluster-factors", "4", "--patch", "8", "--seeds", "1")


def run(*arguments) -> int:
    """The exit code of ``patchfield compare ARGUMENTS``."""
    with pytest.raises(SystemExit) as left:
        main(["compare", *map(str, arguments)])
    return left.value.code


@pytest.fixture
def micrographs(tmp_path):
    """Nine images of coloured blocks with masks."""
    folder = tmp_path / "blocks"
    folder.mkdir()
    for i in range(9):
        blocks = np.random.default_rng(i).integers(1, 4, (5, 6))
        mask = np.kron(blocks, np.ones((16, 16), int)).astype(np.uint8)
        Image.fromarray(mask).save(folder / f"mask_{i}.png")
        Image.fromarray(COLOURS[mask]).save(folder / f"image_{i}.png")
    return folder


@pytest.fixture
def known(monkeypatch):
    """Backbones by name, in place of those that would need weights."""
    backbones = {"full": PatchColours("full", noise=0.1), "red": PatchColours("red", gain=(1.0, 0.0, 0.0), noise=0.1)}

    def load(name, **_options):
        return backbones[name]

    # The command looks it up when it runs; patchfield.evaluate.report, imported above, keeps the real one.
    monkeypatch.setattr(patchfield.backbones, "load_backbone", load)
    monkeypatch.setattr(patchfield.backbones.catalogue, "is_known", lambda name: name in backbones)
    return backbones


def test_the_report_tells_a_gain_from_a_control(micrographs, known, tmp_path, capsys):
    log, out = tmp_path / "log.jsonl", tmp_path / "out"
    log.write_text("\n".join(json.dumps({"step": i, "loss": 4 - i / 9}) for i in range(9)))
    assert run("before=red", "after=full", "control=red", "--data", micrographs, *QUICK, "-o", out, "--log", log) == 0
    printed = capsys.readouterr().out
    assert "after against before" in printed
    assert "| measure " in printed
    assert {path.name for path in out.iterdir()} == {"report.json", "report.md", "curves.png", "pca_blocks.png"}
    report = json.loads((out / "report.json").read_text())
    after, control = ({c["measure"]: c["verdict"] for c in pair["changes"]} for pair in report["comparisons"])
    assert after["linear probe, full masks"] == "higher"
    assert after["retrieval, 30 neighbours"] == "higher"
    assert set(control.values()) == {"equal"}
    assert [backbone["name"] for backbone in report["backbones"]] == ["before", "after", "control"]
    assert report["settings"]["pixels"] == [20]
    assert len(report["data"]["blocks"]["train"]) == 3


def test_void_values_and_masks_without_labels_do_not_count(micrographs, known, tmp_path, capsys):
    """A void of 255 is neither learned nor scored, and an image whose mask is all void is left out, by name."""
    for i in (1, 5):
        with Image.open(micrographs / f"mask_{i}.png") as image:
            mask = np.array(image)
        mask[:40] = 255
        Image.fromarray(mask).save(micrographs / f"mask_{i}.png")
    Image.fromarray(np.full_like(mask, 255)).save(micrographs / "mask_7.png")
    assert run("full", "--data", micrographs, *QUICK, "--ignore", "255", "-o", tmp_path / "out") == 0
    assert "Left out, because nothing is labelled: blocks/7" in capsys.readouterr().out
    (scored,) = json.loads((tmp_path / "out" / "report.json").read_text())["backbones"]
    assert set(scored["class_iou"]["blocks"]["linear probe, full masks"]) == {"1", "2", "3"}
    assert not any(score["image"] == "7" for score in scored["scores"])


def test_images_that_do_not_say_what_their_axes_are(micrographs, known, capsys):
    for i in range(9):
        with Image.open(micrographs / f"image_{i}.png") as image:
            colours = np.asarray(image)
        stored = np.concatenate([np.zeros_like(colours[..., :2]), colours], -1)
        tifffile.imwrite(micrographs / f"image_{i}.tif", stored, photometric="minisblack")
        (micrographs / f"image_{i}.png").unlink()
    assert run("full", "--data", micrographs, *QUICK) == 1
    assert "--axes" in capsys.readouterr().err
    assert run("full", "--data", micrographs, *QUICK, "--axes", "YXC", "--channels", "2,3,4") == 0
    assert "| linear probe, full masks, mIoU      " in capsys.readouterr().out


def test_published_protocols_print_tables(known, tmp_path, capsys):
    for split, folder in (("trainaug", "SegmentationClassAug"), ("val", "SegmentationClass")):
        for path in (folder, "images", "sets"):
            (tmp_path / path).mkdir(exist_ok=True)
        mask = np.kron([[0, 1], [2, 0]], np.ones((32, 32), int)).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / folder / f"{split}.png")
        Image.fromarray(COLOURS[1:][mask]).save(tmp_path / "images" / f"{split}.jpg")
        (tmp_path / "sets" / f"{split}.txt").write_text(split)
    recipes = {
        "linear-segmentation": ("epochs=1", "mIoU, best epoch"),
        "overclustering": ("clusters=4", "mIoU, oracle map"),
        "dense-retrieval": ("temperature=0.02", "mIoU"),
    }
    shared = ("full", "--data", tmp_path, "-o", tmp_path / "out", "--workers", "0", "--setting", "size=64")
    for protocol, (setting, column) in recipes.items():
        assert run(*shared, "--protocol", protocol, "--setting", setting) == 0
        written = json.loads((tmp_path / "out" / f"{protocol}_voc.json").read_text())
        assert written["recipe"]["size"] == 64
        assert written["backbones"]["full"]["fingerprint"] == "full-print"
        printed = capsys.readouterr().out
        assert f"{protocol} on voc" in printed
        assert f"| backbone | {column}" in printed
    assert written["backbones"]["full"]["miou"] == pytest.approx(3 / 21, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["missing"], 2, "called 'missing'"),
        (["full", "full"], 2, "two backbones are called 'full'"),
        (["full", "--protocol", "overclustering"], 1, "no folder JPEGImages"),
        (["full", "--log", "a.jsonl"], 1, "name a folder"),
        (["full", "--sampling", "coarse"], 2, "--sampling"),
        (["full", "--device", "tpu"], 2, "--device"),
        (["full", "--pixels", "few"], 2, "whole numbers"),
        (["full", "--setting", "size=3"], 2, "belongs to the published"),
        (["full", "--protocol", "overclustering", "--seeds", "3"], 2, "--seeds belongs to"),
        (["full", "--protocol", "overclustering", "--setting", "colour=3"], 2, "no setting 'colour'"),
    ],
)
def test_errors_are_one_sentence(micrographs, known, arguments, code, sentence, capsys):
    assert run(*arguments, "--data", micrographs) == code
    error = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert sentence in error
    assert "Traceback" not in error


def test_a_sentence_where_curves_cannot_be_drawn(micrographs, known, tmp_path, monkeypatch, capsys):
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss": 2}')
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run("full", "--data", micrographs, "--log", tmp_path / "log.jsonl", "-o", tmp_path / "out") == 1
    assert "drawn by matplotlib" in capsys.readouterr().err


def test_a_set_of_one_image_is_left_out_by_name(micrographs, known, capsys):
    folder = micrographs.parent / "lone"
    folder.mkdir()
    for kind in ("image", "mask"):
        (folder / f"{kind}_0.png").write_bytes((micrographs / f"{kind}_0.png").read_bytes())
    assert run("full", "--data", micrographs.parent, "--max-images", "2", *QUICK) == 0
    printed = capsys.readouterr()
    assert "lone is left out" in printed.err
    assert "1 set(s)" in printed.out
