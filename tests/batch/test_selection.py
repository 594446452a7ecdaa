"""Which files are meant."""

from pathlib import Path

import pytest

from patchfield.batch.selection import find_images, find_labels, match_labels, output_names
from patchfield.errors import ImageError, LabelError


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def test_a_folder_stands_for_its_images_without_our_results_and_hidden_files(tmp_path):
    touch(tmp_path, "b.TIF", "a.png", "notes.txt", ".hidden.tif", "a_segmentation.tif", "a_pca.png", "sub/c.tif")
    assert [file.name for file in find_images([str(tmp_path)])] == ["a.png", "b.TIF"]


def test_patterns_are_expanded_and_repeats_dropped(tmp_path):
    touch(tmp_path, "x/a.tif", "x/y/b.tif", "x/y/c.csv")
    found = find_images([f"{tmp_path}/**/*", str(tmp_path / "x/a.tif")])
    assert [file.name for file in found] == ["a.tif", "b.tif"]


def test_a_file_that_is_named_is_kept_even_if_missing_or_a_result(tmp_path):
    named = [str(tmp_path / "gone.tif"), str(tmp_path / "a_segmentation.tif")]
    assert [str(file) for file in find_images(named)] == named


def test_a_file_with_brackets_in_its_name_is_a_file(tmp_path):
    touch(tmp_path, "grain [1].tif")
    assert find_images([str(tmp_path / "grain [1].tif")]) == [tmp_path / "grain [1].tif"]


def test_nothing_found_is_said(tmp_path):
    for argument in (tmp_path, tmp_path / "*.tif"):
        with pytest.raises(ImageError, match="holds no image"):
            find_images([str(argument)])
        with pytest.raises(LabelError, match="holds no label"):
            find_labels(str(argument))
    with pytest.raises(LabelError, match="holds no label"):
        find_labels(str(tmp_path / "none.png"))


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("a.tif", "a.png"),
        ("image_a.tif", "strokes_a.png"),
        ("a.tif", "a labels.tif"),
        ("a.tif", "A_Mask.png".replace("A", "a")),
        ("image_a.png", "mask_a.tif"),
        ("a.tif", "a_segmentation.tif"),
    ],
)
def test_names_match_whatever_their_role_is_called(tmp_path, image, labels):
    images = touch(tmp_path, image, "other.tif")
    files = touch(tmp_path, f"l/{labels}", "l/unrelated.tif")
    assert match_labels(images, files) == {images[0]: files[0]}


def test_the_exact_name_wins(tmp_path):
    images = touch(tmp_path, "a.tif", "b.tif")
    files = touch(tmp_path, "l/a.tif", "l/a_mask.tif")
    assert match_labels(images, files) == {images[0]: files[0]}


def test_one_image_and_one_label_file_need_no_name(tmp_path):
    assert match_labels([Path("a.tif")], [Path("b.png")]) == {Path("a.tif"): Path("b.png")}


def test_ambiguity_and_no_match_are_refused():
    with pytest.raises(LabelError, match=r"several label files.*strokes_a.png, mask_a.png"):
        match_labels([Path("image_a.tif")], [Path("strokes_a.png"), Path("mask_a.png")])
    with pytest.raises(LabelError, match="has the name of one of the images"):
        match_labels([Path("a.tif"), Path("b.tif")], [Path("c.png")])


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["x/a.tif", "x/b.tif"], ["a", "b"]),
        (["x/a.tif", "y/a.tif"], ["x_a", "y_a"]),
        (["x/a.tif", "x/a.png"], ["x_a_tif", "x_a_png"]),
        (["/1/x/a.tif", "/2/x/a.tif"], ["1_x_a_tif", "2_x_a_tif"]),
    ],
)
def test_results_never_overwrite_each_other(images, names):
    assert list(output_names([Path(image) for image in images]).values()) == names
