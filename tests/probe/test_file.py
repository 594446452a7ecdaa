"""Probes as files."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from patchfield.errors import ProbeError
from patchfield.pipeline import Extractor, extract
from patchfield.probe import ClassInfo, LinearProbe


@pytest.fixture
def path(field, labels, tmp_path):
    probe = LinearProbe(l2=0.1, samples_per_class=50, seed=3)
    probe.fit([(field, labels)], classes={5: ClassInfo("γ′ – precipitate", "#aabbcc")})
    probe.save(tmp_path / "alloy.probe")
    return tmp_path / "alloy.probe"


def rewritten(path, change) -> None:
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()["patchfield.probe"])
    change(header, tensors)
    save_file(tensors, path, metadata={"patchfield.probe": json.dumps(header)})


def test_what_was_saved_is_what_is_loaded(path, field, labels):
    saved = LinearProbe(l2=0.1, samples_per_class=50, seed=3)
    saved.fit([(field, labels)], classes={5: ClassInfo("γ′ – precipitate", "#aabbcc")})
    loaded = LinearProbe.load(path)
    assert isinstance(loaded, LinearProbe)
    for name in ("values", "weights", "bias"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))
    for name in ("classes", "recipes", "training", "l2", "samples_per_class", "seed"):
        assert getattr(loaded, name) == getattr(saved, name)
    np.testing.assert_array_equal(loaded.segment(field), saved.segment(field))
    assert path.stat().st_size < 10_000


def test_a_loaded_probe_learns_on(path, field, labels):
    labels[40:44, 5:20] = 9
    assert list(LinearProbe.load(path).fit([(field, labels)]).values) == [2, 5, 9, 200]


def test_a_loaded_probe_makes_the_features_of_a_new_image(image, labels, tmp_path):
    settings = {"sampling": "fast", "interpolation": "nearest", "contrast": (-1.0, 2.0)}
    LinearProbe().fit([(extract(image, "filters", **settings), labels)]).save(tmp_path / "a.probe")
    probe, other = LinearProbe.load(tmp_path / "a.probe"), image[::-1].copy()
    expected = extract(other, "filters", **settings)
    field = Extractor.load(probe.recipes).field(other)
    assert field.recipes == expected.recipes
    np.testing.assert_array_equal(probe.segment(field), probe.segment(expected))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "no probe"),
        (lambda path: path.write_bytes(path.read_bytes()[:-20]), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_text("not at all"), "damaged"),
        (lambda path: save_file({"values": np.zeros(2)}, path), "saved as one"),
        (lambda path: rewritten(path, lambda header, _: header.update(version=99)), "update Patchfield"),
        (lambda path: rewritten(path, lambda header, _: header.pop("recipes")), "damaged"),
        (lambda path: rewritten(path, lambda header, _: header.update(classes=[])), "damaged"),
        (lambda path: rewritten(path, lambda _, tensors: tensors.pop("bias")), "damaged"),
        (lambda path: rewritten(path, lambda _, tensors: tensors.update(bias=np.zeros(9))), "damaged"),
    ],
)
def test_a_file_that_is_no_probe_gets_one_sentence_with_its_name(path, spoil, words):
    spoil(path)
    with pytest.raises(ProbeError, match=words) as caught:
        LinearProbe.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
