"""Which files are meant."""

import os
from pathlib import Path

import pytest

from patchfield.batch.matching import match_labels
from patchfield.batch.names import output_names
from patchfield.batch.selection import MASKS_FIRST, find_images, find_labels, find_segmentations
from patchfield.errors import ImageError, LabelError


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def found(*arguments, labels=()) -> list[str]:
    return [file.name for file in find_images(arguments, labels).files]


class TestImages:
    def test_a_folder_stands_for_its_images_without_results_and_hidden_files(self, tmp_path):
        touch(tmp_path, "b.TIF", "a.png", "notes.txt", ".hidden.tif", "a_segmentation.tif", "a_pca.png", "sub/c.tif")
        assert found(tmp_path) == ["a.png", "b.TIF"]

    def test_masks_and_strokes_in_the_folder_are_left_aside_and_listed(self, tmp_path):
        touch(tmp_path, *(f"{role}_{n}.png" for n in "ab" for role in ("image", "mask", "strokes", "object")))
        touch(tmp_path, "c labels.tif", "unmasked.png", "label-free.tif", "mask7.png")
        images = find_images([tmp_path])
        assert [file.name for file in images.files] == ["image_a.png", "image_b.png", "label-free.tif", "unmasked.png"]
        assert len(images.left_aside) == 8

    def test_folders_of_labels_below_the_one_that_is_named_are_left_aside(self, tmp_path):
        touch(tmp_path, "set/a.tif", "set/masks/a.tif", "set/labels/a.tif", "set/train_masks/a.tif")
        touch(tmp_path, "scribbles_steel/b.tif")
        assert found(f"{tmp_path}/**/*.tif") == ["b.tif", "a.tif"]
        assert found(tmp_path / "set" / "masks") == ["a.tif"]

    def test_a_pattern_that_asks_for_masks_gets_them_and_a_folder_of_nothing_else_is_refused(self, tmp_path):
        touch(tmp_path, "mask_1.png", "mask_2.png")
        assert found(f"{tmp_path}/mask_*.png") == ["mask_1.png", "mask_2.png"]
        with pytest.raises(ImageError, match=r"2 file.* labels or results"):
            find_images([tmp_path])

    def test_files_used_as_labels_are_no_images_however_they_are_spelled(self, tmp_path, monkeypatch):
        touch(tmp_path, "a.tif", "b.tif", "painted.tif")
        monkeypatch.chdir(tmp_path)
        assert found(tmp_path, labels=[Path("painted.tif")]) == ["a.tif", "b.tif"]
        assert found("a.tif", "./painted.tif", labels=[tmp_path / "painted.tif"]) == ["a.tif"]

    def test_every_file_once_in_any_spelling_and_through_links_in_circles(self, tmp_path):
        touch(tmp_path, "x/a.tif", "x/y/b.tif", "x/y/c.csv")
        os.symlink(tmp_path / "x", tmp_path / "x" / "y" / "loop")
        assert found(f"{tmp_path}/**/*", tmp_path / "x/a.tif", f"{tmp_path}/x/../x/a.tif") == ["a.tif", "b.tif"]

    def test_a_file_that_is_named_is_kept_even_if_missing_or_a_result(self, tmp_path):
        assert found(tmp_path / "gone.tif", tmp_path / "a_segmentation.tif") == ["gone.tif", "a_segmentation.tif"]

    def test_a_file_with_brackets_in_its_name_is_a_file(self, tmp_path):
        touch(tmp_path, "grain [1].tif")
        assert found(tmp_path / "grain [1].tif") == ["grain [1].tif"]

    def test_nothing_found_and_empty_arguments_are_refused(self, tmp_path):
        for argument in (tmp_path, tmp_path / "*.tif"):
            with pytest.raises(ImageError, match="holds no image"):
                find_images([argument])
            with pytest.raises(LabelError, match="holds no label"):
                find_labels(argument)
        with pytest.raises(LabelError, match="holds no label"):
            find_labels(tmp_path / "none.png")
        for find in (lambda: find_images([""]), lambda: find_labels("")):
            with pytest.raises((ImageError, LabelError), match="empty path"):
                find()


class TestLabels:
    def test_of_a_folder_of_everything_the_files_of_the_wanted_role_are_taken(self, tmp_path):
        touch(tmp_path, *(f"{role}_{n}.png" for n in "ab" for role in ("image", "mask", "strokes", "object")))
        assert [file.name for file in find_labels(tmp_path)] == ["strokes_a.png", "strokes_b.png"]
        assert [file.name for file in find_labels(tmp_path, MASKS_FIRST)] == ["mask_a.png", "mask_b.png"]

    def test_a_folder_of_plain_names_is_taken_whole(self, tmp_path):
        touch(tmp_path, "labels/a.png", "labels/b.png")
        assert len(find_labels(tmp_path / "labels")) == 2

    def test_segmentations_of_a_folder_are_the_files_called_so(self, tmp_path):
        touch(tmp_path, "a_segmentation.tif", "a_probability.tif", "a_pca.png")
        assert [file.name for file in find_segmentations([tmp_path, tmp_path / "a_segmentation.tif"])] == [
            "a_segmentation.tif"
        ]


class TestMatching:
    @pytest.mark.parametrize(
        ("image", "labels"),
        [
            ("a.tif", "a.png"),
            ("image_a.tif", "strokes_a.png"),
            ("a.tif", "a labels.tif"),
            ("a.tif", "a_Mask.png"),
            ("image-1.png", "mask-1.tif"),
            ("image1.png", "mask1.tif"),
            ("a.ome.tif", "a_labels.tif"),
            ("a.tif", "a_segmentation.tif"),
        ],
    )
    def test_names_match_whatever_their_role_is_called(self, tmp_path, image, labels):
        images = touch(tmp_path, image, "other.tif")
        files = touch(tmp_path, f"l/{labels}", "l/unrelated.tif")
        assert match_labels(images, files) == {images[0]: files[0]}

    def test_the_exact_name_wins(self, tmp_path):
        images = touch(tmp_path, "a.tif", "b.tif")
        files = touch(tmp_path, "l/a.tif", "l/a_mask.tif")
        assert match_labels(images, files) == {images[0]: files[0]}

    def test_one_image_and_one_label_file_need_no_name(self):
        assert match_labels([Path("a.tif")], [Path("b.png")]) == {Path("a.tif"): Path("b.png")}

    def test_equal_names_in_folders_belong_to_what_lies_near(self, tmp_path):
        images = touch(tmp_path, "1/a.tif", "2/a.tif")
        files = touch(tmp_path, "1/labels/a.png", "2/labels/a.png")
        assert match_labels(images, files) == dict(zip(images, files, strict=True))

    def test_ambiguity_and_no_match_are_refused(self, tmp_path):
        with pytest.raises(LabelError, match=r"several label files.*strokes_a.png, mask_a.png"):
            match_labels([Path("image_a.tif")], [Path("strokes_a.png"), Path("mask_a.png")])
        with pytest.raises(LabelError, match="has the name of one of the images"):
            match_labels([Path("a.tif"), Path("b.tif")], [Path("c.png")])

    def test_one_label_file_never_serves_two_images(self, tmp_path):
        images = touch(tmp_path, "a/x.png", "b/x.tif")
        labels = touch(tmp_path, "labels/x.png")
        with pytest.raises(LabelError, match=r"a/x.png and .*b/x.tif"):
            match_labels(images, labels)


class TestNames:
    @pytest.mark.parametrize(
        ("images", "names"),
        [
            (["x/a.tif", "x/b.tif"], ["a", "b"]),
            (["x/a.tif", "y/a.tif", "y/b.tif"], ["x_a", "y_a", "b"]),
            (["x/a.tif", "x/a.png", "x/b.png"], ["a_tif", "a_png", "b"]),
            (["/1/x/a.tif", "/2/x/a.tif"], ["1_x_a_tif", "2_x_a_tif"]),
            (["x/a.tif", "y/A.tif"], ["x_a", "y_A"]),
            (["x/a.tif", "x/a.png", "x/a_png.tif"], ["a_tif", "x_a_png", "a_png"]),
        ],
    )
    def test_only_names_that_clash_are_extended(self, images, names):
        assert list(output_names([Path(image) for image in images]).values()) == names

    def test_names_of_earlier_results_stay_with_their_images(self, tmp_path):
        first, second = tmp_path / "x" / "a.tif", tmp_path / "y" / "a.tif"
        owners = {"a": first}
        assert output_names([second], owners.get) == {second: "y_a"}
        assert output_names([first, second], owners.get) == {first: "a", second: "y_a"}
