"""Probes as files."""

import copy
import json
import pickle

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from patchfield.errors import ProbeError
from patchfield.objects import Cleaning, clean
from patchfield.pipeline import Extractor, extract
from patchfield.probe import ClassInfo, LinearProbe
from patchfield.testing.backbones import RandomLift


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
    assert path.stat().st_size < 16_000


def test_how_segmentations_are_finished_travels_with_the_probe(path, field, labels):
    probe = LinearProbe.load(path)
    raw, before = probe.segment(field), probe.fingerprint
    probe.finishing = Cleaning(smoothing=1.5, fill_holes=(5,), min_size=30)
    probe.save(path)
    loaded = LinearProbe.load(path)
    assert loaded.finishing == probe.finishing
    assert loaded.fingerprint == probe.fingerprint != before
    np.testing.assert_array_equal(loaded.segment(field), clean(raw, probe.finishing))
    piece = (slice(8, 40), slice(20, 50))
    np.testing.assert_array_equal(loaded.segment(field, piece), loaded.segment(field)[piece])
    assert (loaded.segment(field) != raw).any()


@pytest.mark.parametrize("finishes", [False, True])
def test_probes_of_before_shifts_were_known_are_read_segment_as_they_did_and_are_written_again(
    path, field, image, tmp_path, finishes
):
    def earlier(header, tensors):
        del tensors["centres"], tensors["response"]
        header["version"] = 3 if finishes else 2
        if not finishes:
            del header["finishing"]

    before = LinearProbe.load(path)
    rewritten(path, earlier)
    probe = LinearProbe.load(path)
    other = extract(image + 0.5, RandomLift(), "fast", contrast=(-1.0, 2.0))
    index = other.argmax(before.weights, before.bias)
    np.testing.assert_array_equal(probe.segment(other), before.values[index])
    probe.save(tmp_path / "again.probe")
    with safe_open(tmp_path / "again.probe", framework="np") as file:
        assert json.loads(file.metadata()["patchfield.probe"])["version"] == 2
        assert "centres" not in file.keys()  # noqa: SIM118


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
        (lambda path: rewritten(path, lambda header, _: header.pop("finishing")), "damaged"),
        (
            lambda path: rewritten(
                path,
                lambda header, _: header.update(finishing={"smoothing": -1, "fill_holes": [], "min_size": 0}),
            ),
            "damaged",
        ),
        (lambda path: rewritten(path, lambda header, _: header.update(classes=[])), "damaged"),
        (lambda path: rewritten(path, lambda _, tensors: tensors.pop("bias")), "damaged"),
        (lambda path: rewritten(path, lambda _, tensors: tensors.pop("features")), "damaged"),
        (lambda path: rewritten(path, lambda _, tensors: tensors.pop("samples")), "damaged"),
        (lambda path: rewritten(path, lambda _, tensors: tensors.update(bias=np.zeros(9))), "damaged"),
        (lambda path: rewritten(path, lambda _, tensors: tensors.pop("response")), "damaged"),
        (lambda path: rewritten(path, lambda _, tensors: tensors.update(centres=np.float32([[1, 2]]))), "damaged"),
        (lambda path: rewritten(path, lambda _, tensors: tensors["response"].fill(np.nan)), "damaged"),
    ],
)
def test_a_file_that_is_no_probe_gets_one_sentence_with_its_name(path, spoil, words):
    spoil(path)
    with pytest.raises(ProbeError, match=words) as caught:
        LinearProbe.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


HEADER_DAMAGE = {
    "version": [None, "1", 1.5, [], 0, -1, True],
    "settings": [
        *(None, [], "x", {}, {"zzz": 1}, {"l2": 0.1}, {"l2": 0.1, "samples_per_class": 5, "seed": 0, "zzz": 1}),
        *({"l2": value, "samples_per_class": 5, "seed": 0} for value in (0, -1, "x", None, True, float("nan"), 1e999)),
        *({"l2": 0.1, "samples_per_class": value, "seed": 0} for value in (0, -1, 2.5, "x", None, 10**12)),
        *({"l2": 0.1, "samples_per_class": 5, "seed": value} for value in (-1, 2**70, 1.5, "x", None)),
    ],
    "classes": [
        *(None, [], "x", {}, {"x": {"name": "a", "color": "#aabbcc"}}, {"2": None, "5": None, "200": None}),
        {value: {"name": "a", "color": "#aabbcc"} for value in ("2", "5")},
        {value: {"name": "a", "color": "red"} for value in ("2", "5", "200")},
        {value: {"name": 7, "color": "#aabbcc"} for value in ("2", "5", "200")},
        {value: {"name": "a", "color": 7} for value in ("2", "5", "200")},
        {value: {"name": "a", "color": "#aabbcc", "zzz": 1} for value in ("2", "5", "200")},
    ],
    "recipes": [None, {}, "x", [None], [[]], [{}], [7], nested(400)],
    "training": [
        *(None, [], "x", {}, {"images": 1}, {"images": None, "strokes": {}, "pixels": {}, "samples": {}}),
        *(
            {"images": 1, "strokes": {}, "pixels": {}, "samples": {}, "pixel_size": size}
            for size in ("x", [], [1], [2, 1], [0, 1], [1, float("nan")], ["1", "2"], [1, None], 7)
        ),
    ],
    "images": [
        *(None, {}, "x", [], [None], [7], [{}], [{"id": "a"}], [{"id": "", "pixel_size": None, "name": "", "zzz": 1}]),
        *([{"id": value, "pixel_size": None, "name": ""}] for value in (None, 7, [], "x" * 201)),
        *([{"id": "", "pixel_size": None, "name": value}] for value in (None, 7, [], "x" * 201)),
        *([{"id": "", "pixel_size": value, "name": ""}] for value in ("x", [], 0, -1, float("nan"), 1e999, True)),
        [{"id": "", "pixel_size": None, "name": ""}] * 200_000,
    ],
}
RECIPE_DAMAGE = {
    "backbone": [None, 5, [], {}, ""],
    "fingerprint": [None, 5, [], ""],
    "sampling": [None, 5, [], "superb", "phases(100000)", "phases(0)", "phases(1000000) * phases(1000000)", "*"],
    "interpolation": [None, 5, [], "cubic"],
    "options": [None, 5, [], "x"],
    "image": [
        *(None, [], "x", {}, {"contrast": "auto"}, {"contrast": "superb", "channels": None}),
        *({"contrast": value, "channels": None} for value in (None, [], [1], [2, 1], ["a", "b"], [0, float("nan")], 7)),
        *({"contrast": "auto", "channels": value} for value in ([], [-1], [0, 1], "x", 7, [0.5])),
    ],
}


def samples_with(column: int, value: int) -> np.ndarray:
    """Where 150 samples of class 5 were painted, with one value changed."""
    places = np.zeros((150, 6), np.uint32)
    places[:, 2] = 5
    places[-1, column] = value
    return places


TENSOR_DAMAGE = {
    "values": [
        *(np.array(values) for values in ([2, 5], [2, 2, 200], [5, 2, 200], [0, 5, 200], [-1, 5, 200], [2, 5, 2**33])),
        *(np.array([2.0, 5.5, 200.0]), np.array([[2, 5, 200]]), np.zeros(0, np.int64), np.arange(1, 100_001)),
    ],
    "weights": [np.full((24, 3), value, np.float32) for value in (np.nan, np.inf)]
    + [np.zeros((24, 2), np.float32), np.zeros(24, np.float32), np.zeros((0, 3), np.float32), np.zeros((24, 3))],
    "samples": [
        *(samples_with(column, value) for column, value in ((0, 1), (0, 2**32 - 1), (1, 2**32 - 1), (2, 0), (2, 3))),
        *(np.zeros((150, 6), dtype) for dtype in (np.int64, np.float32, np.uint8)),
        *(np.zeros(shape, np.uint32) for shape in ((0, 6), (149, 6), (150, 5), (900,), (150, 6, 1), (130_000, 6))),
    ],
    "features": [
        *(np.full((150, 24), value, np.float16) for value in (np.nan, np.inf)),
        *(np.zeros((150, 24), dtype) for dtype in (np.float32, np.int8)),
        *(np.zeros(shape, np.float16) for shape in ((0, 24), (149, 24), (150, 23), (3600,))),
    ],
    "bias": [np.full(3, np.nan, np.float32), np.zeros(2, np.float32), np.zeros((3, 1), np.float32), np.zeros(3)],
}


def damaged(path):
    """Variants of a probe file, and what was changed in each."""
    whole = path.read_bytes()
    for name, values in HEADER_DAMAGE.items():
        for value in values:
            yield f"{name} = {str(value)[:40]}", lambda h, _, name=name, value=value: h.update({name: value})
    for name, values in RECIPE_DAMAGE.items():
        for value in values:
            yield (
                f"recipe's {name} = {value}",
                lambda h, _, name=name, value=value: h["recipes"][0].update({name: value}),
            )
        yield f"recipe without {name}", lambda h, _, name=name: h["recipes"][0].pop(name)
    for name, values in TENSOR_DAMAGE.items():
        for value in values:
            yield f"{name} = {value.shape} {value.dtype}", lambda _, t, name=name, value=value: t.update({name: value})
    path.write_bytes(whole)


def test_every_damaged_or_hostile_probe_gets_one_sentence_at_once(path):
    whole = path.read_bytes()
    accepted, sentences = [], {}
    for what, change in damaged(path):
        path.write_bytes(whole)
        rewritten(path, change)
        try:
            LinearProbe.load(path)
            accepted.append(what)
        except ProbeError as error:
            sentences[what] = str(error)
    assert not accepted
    assert len(sentences) > 80
    for sentence in sentences.values():
        assert str(path) in sentence
        assert "\n" not in sentence
        assert len(sentence) < 600


def test_a_header_that_is_nested_too_deeply_is_damaged(path):
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata={"patchfield.probe": "[" * 100_000 + "]" * 100_000})
    with pytest.raises(ProbeError, match="damaged"):
        LinearProbe.load(path)


def test_pickled_and_copied_probes_segment_alike(path, field):
    probe = LinearProbe.load(path)
    for copied in (pickle.loads(pickle.dumps(probe)), copy.deepcopy(probe)):
        np.testing.assert_array_equal(copied.segment(field), probe.segment(field))
        assert copied.fingerprint == probe.fingerprint
