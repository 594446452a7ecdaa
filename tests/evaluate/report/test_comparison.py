"""``python -m training.evaluate`` and `compare`, on folders and backbones that the tests make."""

import json

import numpy as np
import pytest
from PIL import Image

import training.evaluate
from patchfield.backbones.base import Backbone
from patchfield.errors import BackboneError
from patchfield.evaluate.micrographs.suite import EvaluationSettings
from patchfield.testing.backbones import PatchColours
from training.evaluate import compare, main

COLOURS = np.array([[0, 0, 0], [250, 40, 40], [40, 250, 40], [40, 40, 250]], np.uint8)
QUICK = ["--sampling", "fast", "--pixels", "[20]", "--cluster_factors", "[4]", "--patch", "8", "--seeds", "1"]


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
        if isinstance(name, Backbone):
            return name
        if name not in backbones:
            raise BackboneError(f"there is no backbone '{name}'.")
        return backbones[name]

    monkeypatch.setattr(training.evaluate, "load_backbone", load)
    return backbones


def test_compare_reports_gain_and_control(micrographs, known, tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(json.dumps({"step": i, "loss": 4 - i / 9}) for i in range(9)))
    settings = EvaluationSettings(sampling="fast", pixels=(20,), cluster_factors=(4,), patch=8, seeds=1)
    report = compare("red", "full", micrographs, settings, {"no-op": known["red"]}, output=tmp_path / "out", log=log)
    after, control = ({each.measure: each.verdict for each in report.changes(e)} for e in report.evaluations[1:])
    assert after["linear probe, full masks"] == "higher"
    assert after["retrieval, 30 neighbours"] == "higher"
    assert set(control.values()) == {"equal"}
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"report.json", "report.md", "curves.png", "pca_blocks.png"}


def test_command_line_prints_the_table(micrographs, known, tmp_path, capsys):
    arguments = ["worse=red", "better=full", "--data", str(micrographs), "--output", str(tmp_path / "out"), *QUICK]
    assert main(arguments) == 0
    assert "better against worse" in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [each["name"] for each in report["backbones"]] == ["worse", "better"]
    assert report["settings"]["pixels"] == [20]
    assert len(report["data"]["blocks"]["train"]) == 3


def test_published_protocols_run_by_name(known, tmp_path, capsys):
    for split, folder in (("trainaug", "SegmentationClassAug"), ("val", "SegmentationClass")):
        for path in (folder, "images", "sets"):
            (tmp_path / path).mkdir(exist_ok=True)
        mask = np.kron([[0, 1], [2, 0]], np.ones((32, 32), int)).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / folder / f"{split}.png")
        Image.fromarray(COLOURS[1:][mask]).save(tmp_path / "images" / f"{split}.jpg")
        (tmp_path / "sets" / f"{split}.txt").write_text(split)
    options = {
        "linear-segmentation": ["--linear_segmentation.size", "64", "--linear_segmentation.epochs", "1"],
        "overclustering": ["--overclustering.size", "64", "--overclustering.clusters", "4"],
        "dense-retrieval": ["--dense_retrieval.size", "64"],
    }
    shared = ["full", "--data", str(tmp_path), "--output", str(tmp_path / "out"), "--workers", "0", "--protocol"]
    for protocol, recipe in options.items():
        assert main([*shared, protocol, *recipe]) == 0
        written = json.loads((tmp_path / "out" / f"{protocol}_voc.json").read_text())
        assert written["backbones"]["full"]["fingerprint"] == "full-print"
    assert capsys.readouterr().out.count("on voc, full") == 3
    assert written["backbones"]["full"]["miou"] == pytest.approx(3 / 21, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing"], "no backbone 'missing'"),
        (["full", "full"], "two backbones are called 'full'"),
        (["full", "--protocol", "overclustering"], "no folder JPEGImages"),
    ],
)
def test_errors_are_one_sentence(micrographs, known, arguments, sentence, capsys):
    assert main([*arguments, "--data", str(micrographs)]) == 1
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_settings_come_from_a_file_too(micrographs, known, tmp_path):
    (tmp_path / "settings.yaml").write_text("seeds: 2\npixels: [5]\ncluster_factors: []\nsampling: fast\npatch: 8\n")
    arguments = ["full", "--config", str(tmp_path / "settings.yaml"), "--data", str(micrographs), "--most", "3"]
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["settings"]["seeds"] == 2
    assert not any("overclustering" in score["measure"] for score in report["backbones"][0]["scores"])
