"""What is painted, its history, and the files of planes."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from patchfield.errors import LabelError, ProjectError
from patchfield.store.history import MAX_EDITS, History, PlaneRecord
from patchfield.store.plane_files import plane_name, plane_of, read_plane, write_plane
from patchfield.store.sparse import SparseLabels

PLANES = arrays(np.uint16, (6, 7), elements=st.sampled_from([0, 0, 0, 1, 2, 300]))
BLANK = np.zeros((6, 7), np.uint8)


def blank() -> PlaneRecord:
    return PlaneRecord(SparseLabels.blank((6, 7)))


def after(*paintings: np.ndarray) -> PlaneRecord:
    record = blank()
    for number, labels in enumerate(paintings, start=1):
        record = record.painted(SparseLabels.from_array(labels), number)
    return record


def stroke(row: int, value: int = 1) -> np.ndarray:
    labels = BLANK.copy()
    labels[row, 2:5] = value
    return labels


class TestSparseLabels:
    @settings(max_examples=60, deadline=None)
    @given(PLANES, PLANES)
    def test_arrays_come_back_and_changes_are_those_of_the_pixels(self, before, later):
        sparse, other = SparseLabels.from_array(before), SparseLabels.from_array(later)
        np.testing.assert_array_equal(sparse.to_array(), before)
        flat, was, now = sparse.change_to(other).pixels()
        np.testing.assert_array_equal(flat, np.flatnonzero(before != later))
        np.testing.assert_array_equal(was, before.reshape(-1)[flat])
        np.testing.assert_array_equal(now, later.reshape(-1)[flat])
        assert other.change_to(sparse).undoes(sparse.change_to(other))
        values, counts = np.unique(before[before > 0], return_counts=True)
        assert sparse.pixels() == dict(zip(values.tolist(), counts.tolist(), strict=True))

    @settings(max_examples=60, deadline=None)
    @given(PLANES)
    def test_other_numbers_leave_runs_as_if_painted_so(self, labels):
        renumbered = SparseLabels.from_array(labels).renumbered({2: 1, 300: 0})
        expected = SparseLabels.from_array(np.where(labels == 2, 1, np.where(labels == 300, 0, labels)))
        for name in ("starts", "ends", "values"):
            np.testing.assert_array_equal(getattr(renumbered, name), getattr(expected, name))

    def test_a_plane_takes_the_memory_of_its_strokes(self):
        labels = np.zeros((4000, 5000), np.uint8)
        labels[100:105, 200:900] = 3
        assert len(SparseLabels.from_array(labels).starts) == 5

    @pytest.mark.parametrize("labels", [np.zeros(3, int), np.zeros((2, 2)), np.array([[-1]]), np.array([[2**40]])])
    def test_what_is_no_label_image_is_refused(self, labels):
        with pytest.raises(LabelError, match=r"labels|number"):
            SparseLabels.from_array(labels)


class TestHistory:
    def test_undo_and_redo_are_recognised_and_a_new_stroke_ends_redo(self):
        record = after(stroke(0), stroke(1), stroke(0))
        assert [edit.undone for edit in record.edits] == [False, True]
        assert [edit.undone for edit in record.painted(SparseLabels.from_array(stroke(1)), 9).edits] == [False, False]
        assert [edit.number for edit in record.painted(SparseLabels.from_array(stroke(3)), 9).edits] == [1, 9]
        assert record.strokes == 1

    def test_a_clock_that_is_set_back_does_not_disturb_the_order(self):
        record = blank().painted(SparseLabels.from_array(stroke(0)), 50)
        assert [edit.number for edit in record.painted(SparseLabels.from_array(stroke(1)), 7).edits] == [50, 51]

    def test_old_edits_are_forgotten_and_still_counted(self):
        record = after(*(stroke(number % 6, number + 1) for number in range(MAX_EDITS + 20)))
        assert (len(record.edits), record.strokes) == (MAX_EDITS, MAX_EDITS + 20)

    def test_planes_of_an_image_share_one_history(self):
        one, two = after(stroke(0)), after(stroke(1), stroke(2))
        history = History.from_planes([((0,), one), ((1,), two)])
        assert [(edit.number, sorted(edit.changes)) for edit in history.done] == [(1, [(0,), (1,)]), (2, [(1,)])]

    def test_what_was_undone_before_a_newer_stroke_elsewhere_is_gone(self):
        undone = after(stroke(0), BLANK)
        newer = blank().painted(SparseLabels.from_array(stroke(0)), 9)
        assert History.from_planes([((0,), undone), ((1,), newer)]).undone == ()
        assert len(History.from_planes([((0,), undone)]).undone) == 1


class TestPlaneFiles:
    @settings(max_examples=20, deadline=None)
    @given(st.lists(PLANES, max_size=4))
    def test_labels_and_history_come_back(self, tmp_path_factory, paintings):
        record, path = after(*paintings), tmp_path_factory.mktemp("planes") / "p.npz"
        write_plane(path, record)
        read = read_plane(path, (6, 7))
        np.testing.assert_array_equal(read.labels.to_array(), record.labels.to_array())
        assert [(edit.number, edit.undone) for edit in read.edits] == [(e.number, e.undone) for e in record.edits]
        assert all(one.change.is_same_as(two.change) for one, two in zip(read.edits, record.edits, strict=True))

    def test_names_of_planes_are_read_only_as_they_are_written(self):
        assert [plane_of(plane_name(index)) for index in ((), (3,), (0, 12))] == [(), (3,), (0, 12)]
        names = ("p.npz.bak", "../p.npz", "p-1.npz", "p00.npz", "p1_.npz", "x.npz", ".patchfield-0.npz", "p1\n.npz")
        assert not any(plane_of(name) is not None for name in names)

    def test_a_stroke_costs_kilobytes_on_any_plane(self, tmp_path):
        labels, record = np.zeros((6000, 6000), np.uint8), PlaneRecord(SparseLabels.blank((6000, 6000)))
        for number in range(20):
            labels[number * 200 : number * 200 + 12, 1000:3000] = 1 + number % 3
            record = record.painted(SparseLabels.from_array(labels), number)
        write_plane(tmp_path / "p.npz", record)
        assert (tmp_path / "p.npz").stat().st_size < 16_000

    @pytest.mark.parametrize("size", [0, 1, 100, 700, -1, -40])
    def test_a_cut_file_is_refused_in_one_sentence(self, tmp_path, size):
        path = tmp_path / "p.npz"
        write_plane(path, after(stroke(0)))
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(ProjectError, match=r"p\.npz are damaged"):
            read_plane(path, (6, 7))

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("runs", [[2**40], [1], [1]]),
            ("runs", [[0], [0], [1]]),
            ("runs", [[0], [1], [0]]),
            ("runs", [[0], [43], [1]]),
            ("runs", [[0, 1], [1, 1]]),
            ("runs", [0, 1, 1]),
            ("runs", [[0.5], [1.0], [1.0]]),
            ("runs", [[2**63], [1], [1]]),
            ("stretches", [[0], [1], [2**33], [1]]),
            ("stretches", [[-1], [1], [0], [1]]),
            ("edits", [[1], [0], [7]]),
            ("edits", [[2, 1], [0, 0], [1, 1]]),
            ("plane", [1, 600, 700, 0]),
            ("plane", []),
            ("runs", np.array([[{"any": "object"}]] * 3, object)),
        ],
    )
    def test_hostile_arrays_are_refused(self, tmp_path, name, values):
        path = tmp_path / "p.npz"
        write_plane(path, after(stroke(0)))
        _replace_array(path, name, np.asarray(values))
        with pytest.raises(ProjectError, match="damaged"):
            read_plane(path, (6, 7))

    def test_a_newer_file_says_so(self, tmp_path):
        write_plane(tmp_path / "p.npz", blank())
        _replace_array(tmp_path / "p.npz", "plane", np.array([2, 0, 0, 0]))
        with pytest.raises(ProjectError, match="newer Patchfield"):
            read_plane(tmp_path / "p.npz", (6, 7))

    def test_a_file_that_unpacks_to_gigabytes_is_not_unpacked(self, tmp_path, monkeypatch):
        monkeypatch.setattr("patchfield.store.plane_files.MAX_BYTES", 5000)
        write_plane(tmp_path / "p.npz", blank())
        _replace_array(tmp_path / "p.npz", "runs", np.zeros((3, 10_000), np.uint8))
        with pytest.raises(ProjectError, match="too large"):
            read_plane(tmp_path / "p.npz", (6, 7))


def _replace_array(path, name: str, values: np.ndarray) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in (members | {f"{name}.npy": stream.getvalue()}).items():
            archive.writestr(member, content)
