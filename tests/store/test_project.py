"""Projects: what is saved comes back, what is hostile or damaged is refused, and nothing of anybody's is lost."""

import errno
import json
import os
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from patchfield.errors import ImageError, LabelError, PatchfieldError, ProjectError
from patchfield.images import ArrayStack, Calibration, ImageSettings, read_image, write_image
from patchfield.probe import ClassInfo
from patchfield.store import Project, ProjectClass, ProjectView, recoverable
from tests.store.conftest import FILTERS, SHAPE, picture, strokes

CLASSES = {2: ProjectClass("pearlite", "#ffb000", key="Q"), 1: ProjectClass("ferrite", "#4aa8ff", visible=False)}


def reopened(project: Project, read_only: bool = False) -> Project:
    project.close()
    return Project.open(project.path, read_only)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def painted(project: Project, *images: Path) -> Project:
    for image in images:
        project.labels[project.add(image), ()] = strokes()
    project.save()
    return project


class TestWhatIsSaved:
    def test_everything_comes_back(self, project, scan, movie):
        first, second = project.add(scan), project.add(movie, ImageSettings(contrast="minmax"), name="the movie")
        project.labels[first, ()] = strokes()
        project.labels[movie, (3,)] = strokes() * 100
        project.classes, project.settings = CLASSES, {"autosave": 2, "presets": ["a"]}
        project.view = ProjectView(second.id, (3,), (3.0, 20.5, 30.0), 4.5, 2, "probability", 1)
        project.save()
        assert project.is_saved
        with reopened(project) as again:
            assert again.images == (first, second)
            assert list(again.classes.items()) == list(CLASSES.items())
            assert (again.settings, again.view) == ({"autosave": 2, "presets": ["a"]}, project.view)
            assert (again.recipes, again.probe) == ((FILTERS,), None)
            assert [(image.name, plane) for image, plane in again.labels] == [("a.tif", ()), ("the movie", (3,))]
            np.testing.assert_array_equal(again.labels[first, ()], strokes())
            np.testing.assert_array_equal(again.labels[second, (3,)], strokes() * 100)
            assert not again.labels[second, (0,)].any()

    def test_undo_history_survives(self, project, movie):
        image = project.add(movie)
        project.labels.paint(image, {(0,): strokes(), (1,): strokes()})
        project.labels[image, (0,)] = strokes() * 2
        project.labels[image, (0,)] = strokes()
        project.save()
        with reopened(project) as again:
            history = again.labels.history(image)
            (step,), (next_step,) = history.done, history.undone
            assert sorted(step.changes) == [(0,), (1,)]
            flat, before, after = next_step.changes[(0,)].pixels()
            assert set(zip(before.tolist(), after.tolist(), strict=True)) == {(1, 2), (2, 4)}
            np.testing.assert_array_equal(flat, np.flatnonzero(strokes()))
            assert again.labels.strokes() == 2  # of two planes, one step of undo

    def test_a_stroke_writes_one_small_file(self, project, tmp_path):
        write_image(tmp_path / "long.tif", np.zeros((3000, 4, 5), np.uint8), axes="Z")
        image = project.add(tmp_path / "long.tif")
        for plane in (0, 7, 2999):
            project.labels[image, (plane,)] = np.eye(4, 5, dtype=np.uint8)
        project.save()
        before = {file: file.stat().st_mtime_ns for file in project.path.rglob("*") if file.is_file()}
        project.labels[image, (7,)] = np.eye(4, 5, k=1, dtype=np.uint8)
        project.save()
        after = {file: file.stat().st_mtime_ns for file in project.path.rglob("*") if file.is_file()}
        changed = [file for file in after if after[file] != before[file]]
        assert [file.name for file in changed] == ["p7.npz"]
        assert changed[0].stat().st_size < 8000

    def test_erasing_and_merging_classes_reaches_all_images_and_can_be_undone(self, project, scan, movie):
        painted(project, scan)
        project.labels[project.add(movie), (2,)] = strokes()
        project.labels.renumber({2: 1})
        assert set(project.labels.pixels()) == {1}
        project.labels.renumber({1: 0})
        assert len(project.labels) == 0
        assert len(project.labels.history(movie).done) == 3

    def test_an_image_without_a_file_is_kept_inside(self, project):
        pixels = np.stack([picture(seed) for seed in range(4)], axis=-1)
        stack = ArrayStack(pixels[None], "TYXC", "layer 'cells'", Calibration(0.5, 0.5, "µm"))
        image = project.add(stack, ImageSettings(channels=(3,)), name="cells")
        project.save()
        with reopened(project) as again:
            read = again.image(image).open()
            assert (read.channels, read.calibration) == (4, stack.calibration)
            np.testing.assert_array_equal(read.pixels_at((0,)), pixels)
            again.remove(image)
            again.save()
            assert not list(again.path.rglob("*.tif"))

    def test_planes_keep_the_indices_that_they_were_painted_with(self, project, movie, tmp_path):
        shown = ArrayStack(picture(planes=5)[None], "RQYX", "layer 'movie'")  # the file says T
        image = project.add(shown, file=movie)
        kept = project.add(ArrayStack(picture()[None], "TYX", "one frame"))
        project.labels[image, (0, 3)] = strokes()
        project.labels[kept, (0,)] = strokes()
        project.save()
        with reopened(project) as again:
            again.fit()
            assert (again.segment(image).shape, again.segment(kept).shape) == ((1, 5, *SHAPE), (1, *SHAPE))
            write_image(movie, picture(planes=4), axes="T")
            with pytest.raises(ImageError, match="another image now"):
                again.segment(image)

    def test_images_are_added_once_and_removed_with_their_strokes_only(self, project, scan):
        painted(project, scan)
        assert project.add(scan.parent / "." / "a.tif") == project.images[0]
        project.remove(scan)
        project.save()
        assert (project.images, len(project.labels)) == ((), 0)
        assert scan.exists()
        assert not list(project.path.rglob("*.npz"))

    def test_wrong_labels_are_refused_in_one_sentence(self, project, movie):
        image = project.add(movie)
        for plane, labels in (((5,), strokes()), ((), strokes()), ((0,), strokes()[:5]), ((0,), strokes() / 2)):
            with pytest.raises(LabelError, match="movie"):
                project.labels[image, plane] = labels
        with pytest.raises(ProjectError, match="no image"):
            project.labels["other.tif", (0,)] = strokes()


class TestWork:
    def test_fit_and_segment_are_those_of_a_script(self, project, scan, movie):
        import patchfield as pf

        painted(project, scan)
        project.classes = CLASSES
        probe = project.fit()
        field = pf.extract(read_image(scan), "filters", "fast")
        expected = pf.LinearProbe().fit([(field, strokes())])
        np.testing.assert_array_equal(project.segment(scan), expected.segment(field))
        assert probe.classes[2] == ClassInfo("pearlite", "#ffb000")
        assert project.segment(movie).shape == (5, *SHAPE)
        assert project.segment(read_image(movie), plane=(4,)).shape == SHAPE
        project.save()
        with reopened(project, read_only=True) as again:
            assert again.probe is not None
            assert again.probe.fingerprint == probe.fingerprint
            np.testing.assert_array_equal(again.segment(again.images[0]), expected.segment(field))

    def test_every_image_is_seen_with_its_own_settings(self, project, scan, tmp_path):
        both = np.stack([picture(1)[:, ::-1], picture(0)])
        write_image(tmp_path / "two.tif", both, axes="C")
        painted(project, scan)
        two = project.add(tmp_path / "two.tif", ImageSettings(channels=(1,)))
        project.labels[two, ()] = strokes()
        project.fit()
        assert (project.segment(two)[:, [4, 60]] == [1, 2]).mean() > 0.95
        project.see(two, ImageSettings(channels=(0,)))
        assert (project.segment(two)[:, [4, 60]] == [2, 1]).mean() > 0.95

    def test_without_strokes_or_probe_a_sentence_says_so(self, project, scan):
        project.add(scan)
        with pytest.raises(LabelError, match="nothing is painted"):
            project.fit()
        with pytest.raises(ProjectError, match="no probe yet"):
            project.segment(scan)


class TestMovedImages:
    def test_project_and_images_move_together(self, project, scan, tmp_path):
        painted(project, scan).close()
        (tmp_path / "elsewhere").mkdir()
        for name in ("steel.patchfield", "scans"):
            shutil.move(tmp_path / name, tmp_path / "elsewhere" / name)
        with Project.open(tmp_path / "elsewhere" / "steel.patchfield") as again:
            assert (again.missing, again.changed) == ((), ())
            assert again.images[0].path == tmp_path / "elsewhere" / "scans" / "a.tif"

    def test_lost_images_are_found_by_name_and_content(self, project, scan, movie, tmp_path):
        painted(project, scan)
        project.add(movie)
        (tmp_path / "archive" / "deep").mkdir(parents=True)
        shutil.move(scan, tmp_path / "archive" / "deep" / "renamed.tif")
        shutil.move(movie, tmp_path / "archive" / "movie.tif")
        write_image(tmp_path / "archive" / "a.tif", picture(9))  # of the name and size, and another image
        assert [image.name for image in project.missing] == ["a.tif", "movie.tif"]
        with pytest.raises(ProjectError, match=r"missing: a\.tif; relocate"):
            project.fit()
        assert len(project.relocate(tmp_path / "archive")) == 2
        assert [image.path.name for image in project.images] == ["renamed.tif", "movie.tif"]
        project.fit()

    def test_a_changed_image_is_noticed_and_taken_only_on_request(self, project, scan):
        painted(project, scan)
        os.utime(scan, (1, 1))
        assert project.changed == ()
        write_image(scan, picture(5))
        assert [image.name for image in project.changed] == ["a.tif"]
        with pytest.raises(ProjectError, match=r"have changed since: a\.tif"):
            project.fit()
        assert project.relocate(scan) == ()
        write_image(scan.with_name("small.tif"), picture()[:10])
        assert len(project.relocate(scan.parent, accept=True)) == 1
        assert project.changed == ()


class TestRefusals:
    @pytest.mark.parametrize(
        "change",
        [
            {"labels": "../x"},
            {"labels": "/any/path"},
            {"images": [{"id": "../../x"}]},
            {"images": {}},
            {"images": [[]] * 3},
            {"classes": [{"value": -1}]},
            {"classes": [{"value": 1, "name": "a", "color": "red", "key": "", "visible": True}]},
            {"recipes": [{"backbone": "filters"}]},
            {"settings": []},
            {"format": "other"},
            {"version": "1"},
            {"version": None},
        ],
    )
    def test_hostile_projects_are_refused_in_one_sentence_and_left_alone(self, project, scan, change):
        painted(project, scan).close()
        file = project.path / "project.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        before = contents(project.path)
        with pytest.raises(ProjectError, match=r"^[^\n]*project\.json is damaged \([^\n]*\.$"):
            Project.open(project.path)
        assert contents(project.path) == before

    @pytest.mark.parametrize("key", ["id", "path", "shape", "lengths", "axes", "settings", "content", "channels"])
    def test_hostile_images_are_refused(self, project, scan, key):
        painted(project, scan).close()
        file = project.path / "project.json"
        said = json.loads(file.read_text())
        wrong = {"id": "../../scans", "path": "a\0b", "shape": [2**20, 2**20], "lengths": [2], "settings": {}}
        said["images"][0][key] = wrong.get(key)
        file.write_text(json.dumps(said))
        with pytest.raises(ProjectError, match="damaged"):
            Project.open(project.path)

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", "nul", '{"a":' * 100_000, "\0" * 50, '{"x": ' + "9" * 9000 + "}"]
    )
    def test_files_that_are_no_project_are_refused(self, project, content):
        project.close()
        (project.path / "project.json").write_text(content)
        with pytest.raises(ProjectError, match="damaged"):
            Project.open(project.path)
        assert (project.path / "project.json").read_text() == content

    def test_a_newer_project_is_refused(self, project):
        project.close()
        (project.path / "project.json").write_text('{"format": "patchfield-project", "version": 2, "anything": 1}')
        with pytest.raises(ProjectError, match="newer Patchfield"):
            Project.open(project.path)

    def test_damaged_labels_views_and_probes_are_never_written_over(self, project, scan):
        painted(project, scan)
        project.fit()
        project.view = ProjectView(zoom=2)
        project.save()
        project.close()
        plane = next(project.path.rglob("*.npz"))
        plane.write_bytes(b"x")
        project.probe_file.write_bytes(b"y")
        with Project.open(project.path) as again:
            for change in (
                lambda: again.labels.paint(scan, {(): strokes() * 3}),
                lambda: again.fit(),
                lambda: setattr(again, "probe", project.probe),
            ):
                with pytest.raises(PatchfieldError, match="damaged"):
                    change()
            again.save()
        assert (plane.read_bytes(), project.probe_file.read_bytes()) == (b"x", b"y")
        (project.path / "view.json").write_text("{}")
        with pytest.raises(ProjectError, match=r"view\.json is damaged.*delete this file"):
            Project.open(project.path)

    def test_other_folders_and_names_are_no_projects(self, tmp_path, project):
        with pytest.raises(ProjectError, match="no project"):
            Project.open(tmp_path)
        with pytest.raises(ProjectError, match=r"called NAME\.patchfield"):
            Project.create(tmp_path / "steel")
        with pytest.raises(ProjectError, match="there already"):
            Project.create(project.path)

    @pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
    @pytest.mark.parametrize("link", ["labels", "labels/ID", "images", "project.lock"])
    def test_links_out_of_the_project_are_never_followed(self, project, scan, tmp_path, link):
        victim = tmp_path / "victim"
        painted(project, scan).close()
        (victim / project.images[0].id).mkdir(parents=True)
        for name in ("p.npz", f"{project.images[0].id}/p.npz", f"{project.images[0].id}.tif", "x.txt"):
            (victim / name).write_text("mine")
        place = project.path / link.replace("ID", project.images[0].id)
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.symlink_to(victim / "x.txt" if link.endswith("lock") else victim)
        before = contents(victim)

        def misuse() -> None:
            with Project.open(project.path) as again:
                again.labels.paint(scan, {(): strokes() * 2})
                again.save()
                again.remove(scan)
                again.save()
                again.discard()

        with pytest.raises(ProjectError, match="is a link"):
            misuse()
        assert contents(victim) == before

    def test_only_our_own_files_are_deleted(self, project, scan):
        painted(project, scan)
        foreign = (project.path / "notes.txt", next(project.path.rglob("*.npz")).with_name("thesis.npz"))
        for file in foreign:
            file.write_text("mine")
        project.discard()
        assert sorted(file for file in project.path.rglob("*") if file.is_file()) == sorted(foreign)


class TestAtWork:
    def test_two_writers_are_one_too_many_and_readers_are_welcome(self, project, scan):
        painted(project, scan)
        with pytest.raises(ProjectError, match="open in another window or program"):
            Project.open(project.path)
        with Project.open(project.path, read_only=True) as reader:
            np.testing.assert_array_equal(reader.labels[scan, ()], strokes())
            for change in (lambda: reader.add(scan), lambda: reader.labels.paint(scan, {(): strokes()}), reader.save):
                with pytest.raises(ProjectError, match="read-only"):
                    change()
        with reopened(project) as again:
            assert not again.read_only
        with pytest.raises(ProjectError, match="is closed"):
            project.save()

    def test_a_full_disk_leaves_the_old_state_and_the_next_save_writes_all(self, project, scan, movie, monkeypatch):
        painted(project, scan)
        before = contents(project.path)

        def full(file: Path, **arrays: np.ndarray) -> None:
            Path(file).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

        with monkeypatch.context() as disk:
            disk.setattr(np, "savez_compressed", full)
            project.labels[scan, ()] = strokes() * 2
            with pytest.raises(OSError, match=r"p\.npz"):
                project.save()
            assert contents(project.path) == before
            assert not project.is_saved
            with pytest.raises(OSError, match=r"p\.npz"):
                project.save_as(project.path.with_name("copy.patchfield"))
            assert not project.path.with_name("copy.patchfield").exists()
        project.save()
        with reopened(project) as again:
            np.testing.assert_array_equal(again.labels[scan, ()], strokes() * 2)

    def test_painting_and_saving_go_on_beside_each_other(self, project, movie):
        image = project.add(movie)

        def paint(plane: int) -> None:
            labels = np.zeros(SHAPE, np.uint8)
            for row in range(40):
                labels[row] = 1 + row
                project.labels[image, (plane,)] = labels

        painters = [threading.Thread(target=paint, args=(plane,)) for plane in range(5)]
        for painter in painters:
            painter.start()
        while any(painter.is_alive() for painter in painters):
            project.save()
        project.save()
        with reopened(project) as again:
            assert again.labels.strokes() == 200
            assert all(set(again.labels[image, (plane,)][:, 0]) == set(range(41)) for plane in range(5))

    def test_what_a_killed_writer_left_is_swept_up(self, project, scan):
        painted(project, scan).close()
        rest = next(project.path.rglob("*.npz")).with_name(".patchfield-00ff.npz")
        rest.write_bytes(b"half")
        Project.open(project.path, read_only=True)
        assert rest.exists()
        Project.open(project.path).close()
        assert not rest.exists()

    @pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
    def test_kill_at_any_moment_loses_at_most_the_last_write(self, tmp_path, scan):
        import subprocess

        painter = Path(__file__).with_name("killed_painters.py")
        done = subprocess.run(
            [sys.executable, painter, tmp_path, scan], capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-1] == "24"


class TestRecovery:
    def test_unsaved_projects_are_listed_saved_and_discarded(self, scan, recovery, tmp_path):
        assert recoverable() == []
        unsaved = Project.create_unsaved(FILTERS)
        painted(unsaved, scan)
        assert unsaved.path.parent == recovery
        assert recoverable() == []  # its window is open
        unsaved.close()
        (found,) = recoverable()
        assert (found.path, found.images, found.strokes, found.problem) == (unsaved.path, ("a.tif",), 1, "")
        again = Project.open(found.path)
        again.save_as(tmp_path / "saved" / "steel.patchfield")
        assert (recoverable(), list(recovery.iterdir())) == ([], [])
        again.labels[scan, ()] = strokes() * 2
        again.save()
        with reopened(again) as saved:
            np.testing.assert_array_equal(saved.labels[scan, ()], strokes() * 2)
            assert saved.missing == ()
        other = painted(Project.create_unsaved(FILTERS), scan)
        other.discard()
        assert (recoverable(), list(recovery.iterdir())) == ([], [])

    def test_images_kept_inside_and_probes_move_along(self, tmp_path):
        unsaved = Project.create_unsaved(FILTERS)
        image = unsaved.add(ArrayStack(picture(), "YX", "sample"), name="sample")
        unsaved.labels[image, ()] = strokes()
        unsaved.fit()
        unsaved.save_as(tmp_path / "sample.patchfield")
        with reopened(unsaved) as saved:
            assert (saved.missing, saved.changed) == ((), ())
            assert (saved.segment(image) > 0).all()

    def test_a_damaged_one_is_listed_with_its_problem_and_empty_ones_are_not(self, recovery):
        broken, empty = Project.create_unsaved(), Project.create_unsaved()
        broken.close()
        empty.close()
        (broken.path / "project.json").write_text("{")
        (found,) = recoverable()
        assert found.path == broken.path
        assert "damaged" in found.problem
