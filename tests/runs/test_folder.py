"""The contract of a run's folder: who works in it, what it says, what its backbone may be called."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from patchfield.runs import extra
from patchfield.runs.folder import (
    METRICS,
    STATUS,
    RunError,
    RunProgress,
    RunStatus,
    hold,
    is_held,
    read_progress,
    read_status,
    write_status,
)
from patchfield.runs.names import MAX_BYTES, check_name


def test_a_folder_is_held_once_and_free_again_afterwards(tmp_path):
    with hold(tmp_path / "run"), hold(tmp_path / "run"):
        assert is_held(tmp_path / "run")
    assert not is_held(tmp_path / "run")
    assert not is_held(tmp_path / "other")


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file is a file: choose another folder"), hold(tmp_path / "file"):
        pass
    with pytest.raises(RunError, match="deeper cannot be used"), hold(tmp_path / "file" / "deeper"):
        pass


def test_status_and_progress_are_read_as_they_were_written(tmp_path):
    assert read_status(tmp_path) is None
    write_status(tmp_path, "failed", "Groß ist das Unglück.", RunProgress(3, 9, 0.5, 12.0))
    assert read_status(tmp_path) == RunStatus("failed", "Groß ist das Unglück.")
    assert read_progress(tmp_path, 9) == RunProgress(0, 9)
    (tmp_path / METRICS).write_text('{"step": 3, "loss": 0.5, "seconds_left": 12.0}\n[4]\n{"step": 4, "lo')
    assert read_progress(tmp_path, 9) == RunProgress(3, 9, 0.5, 12.0)


@pytest.mark.parametrize("damage", [b"", b"[1]", b'{"state": "dancing"}', b"\xff\xfe", b"{"])
def test_a_damaged_status_is_none(tmp_path, damage):
    (tmp_path / STATUS).write_bytes(damage)
    assert read_status(tmp_path) is None


@pytest.mark.parametrize("name", ["a", "steel 3 (x)", "x#1", "größe-2", "_b.c", "m" * MAX_BYTES])
def test_names_of_files_are_names(name):
    check_name(name, taken={"other"})


@pytest.mark.parametrize(
    "name",
    [
        "",
        " a",
        "a ",
        "a.",
        ".a",
        "-a",
        "../a",
        "a/b",
        "a\\b",
        "a:b",
        "a|b",
        "a\nb",
        "a\0b",
        "NUL",
        "con.x",
        "m" * 201,
        "ö" * 150,
    ],
)
def test_other_names_are_one_sentence(name):
    with pytest.raises(RunError) as refusal:
        check_name(name)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("name", ["m" * (MAX_BYTES + 1), "ö" * (MAX_BYTES // 2 + 1)])
def test_names_fit_into_file_systems(name):
    with pytest.raises(RunError, match="too long"):
        check_name(name)


def test_neither_name_of_a_pair_may_be_taken():
    with pytest.raises(RunError, match="a backbone 'mine-student' already"):
        check_name("mine", taken={"mine-student"})


def test_what_training_needs_is_what_its_extra_installs():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {Requirement(line).name for line in project["optional-dependencies"]["training"]}
    assert extras == set(extra.NEEDED)
    assert extra.missing() == []
