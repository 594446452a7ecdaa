"""Files are written whole or not at all."""

import errno
import os
import threading
from pathlib import Path

import pytest

from patchfield.atomic import TEMPORARY_PREFIX, atomic_path


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("before")

    def fail_half_way() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "before"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_names_the_file_that_the_user_knows(tmp_path):
    def write_to_a_full_disk() -> None:
        with atomic_path(tmp_path / "a.txt"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"a\.txt"):
        write_to_a_full_disk()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"folder'$"), atomic_path(tmp_path / "folder"):
        pass


def test_an_error_of_the_folder_names_the_file_that_the_user_knows(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    target = tmp_path / "a.txt"
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError) as caught, atomic_path(target):
        pass
    assert caught.value.filename == str(target)


def test_temporary_files_are_beside_the_target_hidden_and_recognisable(tmp_path):
    with atomic_path(tmp_path / "new" / "scan.tif") as temporary:
        assert temporary.parent == tmp_path / "new"
        assert temporary.name.startswith(TEMPORARY_PREFIX)
        assert temporary.suffix == ".tif"


@pytest.mark.parametrize("stem", ["n" * 251, "ö" * 125])
def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path, stem):
    with atomic_path(tmp_path / f"{stem}.tif") as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == [f"{stem}.tif"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_files_have_the_usual_permissions_and_the_process_keeps_its_umask(tmp_path):
    before = os.umask(0o027)
    try:
        seen, stop = set(), threading.Event()

        def other_files() -> None:
            while not stop.is_set():
                file = tmp_path / "other"
                file.touch()
                seen.add(file.stat().st_mode & 0o777)
                file.unlink()

        thread = threading.Thread(target=other_files)
        thread.start()
        for index in range(50):
            with atomic_path(tmp_path / f"{index}.txt") as temporary:
                temporary.write_text("x")
        stop.set()
        thread.join()
        assert seen == {0o640}
        assert (tmp_path / "0.txt").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)
