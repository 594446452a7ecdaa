"""Images of every kind become the same samples, whoever asks for them and in whatever order."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from patchfield.errors import ImageError
from patchfield.images import ImageSettings
from training.data.augment import AugmentSettings, augment
from training.data.cache import ImageCache
from training.data.collection import image_files, open_collection
from training.data.crops import CropSettings
from training.data.sampler import StepSampler, load_batches
from training.data.windows import CropDataset, SampleSettings, TileSettings

CROPS = CropSettings(global_size=32, local_size=16)
SETTINGS = ImageSettings()


def noise(shape, low, high, dtype, seed=0):
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


@pytest.fixture
def folder(tmp_path):
    """Images of all kinds, and things that are not."""
    Image.fromarray(noise((60, 80), 0, 256, np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(noise((64, 50, 3), 0, 256, np.uint8)).save(tmp_path / "colour.jpg")
    (tmp_path / "deeper").mkdir()
    tifffile.imwrite(tmp_path / "deeper" / "sixteen.tif", noise((70, 70), 1000, 3000, np.uint16))
    tifffile.imwrite(
        tmp_path / "stack.tif", noise((3, 40, 48), 0, 99, np.uint16), imagej=True, metadata={"axes": "ZYX"}
    )
    tifffile.imwrite(tmp_path / "float.tif", noise((40, 40), -5, 5, np.float32))
    Image.fromarray(np.full((64, 64), 7, np.uint8)).save(tmp_path / "constant.png")
    Image.fromarray(noise((20, 90), 0, 256, np.uint8)).save(tmp_path / "narrow.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    Image.fromarray(noise((64, 64), 1, 3, np.uint8)).save(tmp_path / "mask_grey.png")
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def tiles_of(folder, crops=CROPS, tiles=None, clean_teacher=True, seed=5, workers=0):
    tiles = tiles or TileSettings()
    collection = open_collection(image_files(folder), tiles.image_settings, crops.global_size)
    return CropDataset(collection, SampleSettings(seed, crops, AugmentSettings(), tiles, clean_teacher), workers)


def test_images_of_every_kind_are_found_and_the_others_named(folder):
    collection = open_collection(image_files(folder), SETTINGS, least_side=32, index=folder / "images.json")
    assert len(collection.planes) == 7
    assert {plane.plane for plane in collection.planes if plane.path.endswith("stack.tif")} == {0, 1, 2}
    problems = " ".join(collection.left_out)
    assert len(collection.left_out) == 3
    assert "constant.png is the same everywhere" in problems
    assert "narrow.png has 20 x 90 pixels, smaller than a crop of 32" in problems
    assert "broken.png" in problems
    again = open_collection(image_files(folder), SETTINGS, least_side=32, index=folder / "images.json")
    assert again == collection


def test_a_changed_file_is_opened_again(folder):
    index = folder / "images.json"
    open_collection(image_files(folder / "grey.png"), SETTINGS, 32, index)
    Image.fromarray(noise((99, 50), 0, 256, np.uint8)).save(folder / "grey.png")
    (plane,) = open_collection(image_files(folder / "grey.png"), SETTINGS, 32, index).planes
    assert (plane.height, plane.width) == (99, 50)


def test_sixteen_bits_are_scaled_by_the_whole_image(folder):
    collection = open_collection([folder / "deeper" / "sixteen.tif"], SETTINGS, 32)
    (plane,) = collection.planes
    low, high = plane.limits[0]
    assert 1000 <= low < 1020
    assert 2980 < high < 3000
    image = ImageCache(SETTINGS, 0).image(plane).whole()
    assert image.shape == (70, 70, 3)
    assert len(np.unique(image)) > 1000


def test_held_out_images_are_not_trained_on(folder):
    files = image_files([folder, folder / "grey.png"], excluded=[folder / "deeper" / ".." / "colour.jpg"])
    names = [path.name for path in files]
    assert "colour.jpg" not in names
    assert names.count("grey.png") == 1
    assert "mask_grey.png" not in names


@pytest.mark.parametrize(
    ("source", "sentence"), [("nowhere", "does not exist"), ("empty", "no images in"), ("notes.txt", "can be used")]
)
def test_wrong_folders_are_one_sentence(folder, source, sentence):
    (folder / "empty").mkdir()
    with pytest.raises(ImageError, match=sentence):
        open_collection(image_files(folder / source), SETTINGS, 32)


def test_samples_follow_from_seed_and_number_alone(folder):
    first, second = tiles_of(folder), tiles_of(folder)
    backwards = {index: second[index] for index in reversed(range(10))}
    for index in range(10):
        for ours, theirs in zip(first[index], backwards[index], strict=True):
            assert torch.equal(ours, theirs)
    other = tiles_of(folder, seed=6)
    assert not all(torch.equal(first[index].boxes, other[index].boxes) for index in range(10))


def test_shapes_and_clean_teacher(folder):
    sample = tiles_of(folder)[0]
    assert sample.student_globals.shape == sample.teacher_globals.shape == (2, 3, 32, 32)
    assert sample.student_locals.shape == (4, 3, 16, 16)
    assert sample.boxes.shape == (6, 4)
    changed = [
        not torch.equal(s.student_globals, s.teacher_globals) for s in map(tiles_of(folder).__getitem__, range(4))
    ]
    assert all(changed)
    same = tiles_of(folder, clean_teacher=False)[0]
    assert torch.equal(same.student_globals, same.teacher_globals)


def test_every_image_is_seen_equally_often(folder):
    tiles = tiles_of(folder)
    seen = [tiles.plane(index) for index in range(21)]
    assert all(seen.count(plane) == 3 for plane in set(seen))
    assert len(set(seen)) == 7
    assert seen[:7] != seen[7:14]


def test_blank_windows_are_drawn_again(tmp_path):
    pixels = np.zeros((300, 300), np.uint8)
    pixels[200:, 200:] = noise((100, 100), 0, 256, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mostly_empty.png")
    windows = [tiles_of(tmp_path)[index].teacher_globals.std().item() for index in range(20)]
    careless = tiles_of(tmp_path, tiles=TileSettings(blank=0.0))
    assert sum(deviation > 0.05 for deviation in windows) >= 14
    assert sum(careless[index].teacher_globals.std().item() > 0.05 for index in range(20)) <= 10


def test_cache_forgets_the_oldest_and_maps_weigh_nothing(folder, tmp_path, monkeypatch):
    collection = open_collection(image_files(folder), SETTINGS, 32)
    small = {plane.path: plane for plane in collection.planes if plane.height * plane.width < 5000}
    cache = ImageCache(SETTINGS, capacity=12_000)
    for plane in small.values():
        cache.image(plane)
    assert 1 <= len(cache.files) < len(small)
    monkeypatch.setattr("patchfield.images.readers.tiff.MAPPED_BYTES", 1000)
    (mapped,) = open_collection([folder / "deeper" / "sixteen.tif"], SETTINGS, 32).planes
    nothing = ImageCache(SETTINGS, capacity=0)
    nothing.image(mapped)
    assert nothing.files.bytes == 0
    assert nothing.image(mapped).whole().std() > 0.1


def test_processes_and_workers_share_the_samples_of_a_step(folder):
    everything = list(StepSampler(6, 2, 4))
    shares = [list(StepSampler(6, 2, 4, rank, 3)) for rank in range(3)]
    assert everything == [[12, 13, 14, 15, 16, 17], [18, 19, 20, 21, 22, 23]]
    for step in range(2):
        assert [index for share in shares for index in share[step]] == everything[step]
    alone = list(load_batches(tiles_of(folder), StepSampler(2, 0, 3), workers=0, pinned=False))
    helped = list(load_batches(tiles_of(folder, workers=2), StepSampler(2, 0, 3), workers=2, pinned=False))
    for ours, theirs in zip(alone, helped, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_augmentation_changes_values_and_keeps_grey_grey_and_places():
    ramp = torch.linspace(0.2, 0.8, 32).expand(3, 32, 32).contiguous()
    changed = [augment(ramp, np.random.default_rng(seed), AugmentSettings()) for seed in range(30)]
    assert len({round(crop.mean().item(), 4) for crop in changed}) > 20
    for crop in changed:
        assert torch.equal(crop[0], crop[1])
        assert (crop >= 0).all()
        assert (crop <= 1).all()
        assert np.corrcoef(crop[0].mean(0), ramp[0, 0])[0, 1] > 0.95
    nothing = AugmentSettings(0, blur_probability=0, noise_probability=0)
    assert torch.equal(augment(ramp, np.random.default_rng(0), nothing), ramp)


def test_colour_changes_of_the_paper_and_negatives():
    colours = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    still = AugmentSettings(0, blur_probability=0, noise_probability=0)
    grey = augment(colours, np.random.default_rng(0), replace(still, grey_probability=1.0))
    assert torch.equal(grey[0], grey[2])
    negative = augment(colours, np.random.default_rng(0), replace(still, invert_probability=1.0))
    torch.testing.assert_close(negative, 1 - colours)
    hue = replace(still, jitter_probability=1.0, brightness=0, contrast=0, gamma=0, hue=0.3)
    turned = augment(colours, np.random.default_rng(1), hue)
    assert (turned - colours).abs().max() > 0.1
    torch.testing.assert_close(turned.amax(0), colours.amax(0), atol=1e-5, rtol=0)
