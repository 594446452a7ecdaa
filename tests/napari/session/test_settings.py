"""What outlives a session."""

import json
from pathlib import Path

import pytest

from patchfield.errors import SettingsError
from patchfield.napari.session.settings import MAX_RECENT, Memory, Settings
from patchfield.probe import ClassInfo

PHASES = {1: ClassInfo("matrix", "#4aa8ff"), 3: ClassInfo("pore", "#ff8a3d")}


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "config" / "window.json"


def fail(error: Exception) -> None:
    raise error


def test_everything_remembered_is_there_at_the_next_start(file, tmp_path):
    settings = Settings(file, fail)
    settings.remember_folder(tmp_path)
    settings.remember_backbone("filters")
    settings.fold("Features", False)
    settings.save_preset("steel", PHASES)
    settings.remember_project(tmp_path / "a.patchfield")
    assert Settings(file, fail).memory == settings.memory
    assert settings.memory == Memory(
        tmp_path, "filters", {"Features": False}, {"steel": PHASES}, (tmp_path / "a.patchfield",)
    )


def test_two_windows_do_not_forget_what_the_other_remembers(file):
    one, other = Settings(file, fail), Settings(file, fail)
    one.save_preset("steel", PHASES)
    other.fold("Keys", True)
    one.remove_preset("absent")
    assert set(Settings(file, fail).memory.presets) == {"steel"}
    assert Settings(file, fail).memory.folded == {"Keys": True}


def test_recent_projects_are_few_the_latest_first_and_no_one_twice(file):
    settings = Settings(file, fail)
    paths = [Path(f"{n}.patchfield") for n in range(MAX_RECENT + 2)]
    for path in [*paths, paths[-2]]:
        settings.remember_project(path)
    assert settings.memory.recent_projects == (paths[-2], paths[-1], *paths[-3:1:-1])
    settings.forget_project(paths[-1])
    assert paths[-1] not in Settings(file, fail).memory.recent_projects


DAMAGED = [
    b"",
    b"\xff\xfe",
    b"[]",
    b'{"format": 1',
    b"[" * 10**5,
    b'{"format": 1, "folded": [], "presets": {}, "last_backbone": "", "recent_projects": []}',
    b'{"format": 1, "folded": {}, "presets": {"a": {"x": []}}, "last_backbone": "", "recent_projects": []}',
    b'{"format": 1, "folded": {}, "presets": {"a": {"1": ["pore"]}}, "last_backbone": "", "recent_projects": []}',
    b'{"format": 1, "folded": {}, "presets": {"a": {"1": ["x", "red"]}}, "last_backbone": "", "recent_projects": []}',
    b'{"format": 1, "folded": {}, "presets": {}, "last_backbone": "", "recent_projects": "abc"}',
    b'{"format": 1, "folded": {}, "presets": {}, "last_backbone": "", "recent_projects": [3]}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_gives_defaults_and_one_sentence_and_is_kept(file, content):
    file.parent.mkdir()
    file.write_bytes(content)
    said: list[Exception] = []
    settings = Settings(file, said.append)
    settings.fold("Keys", True)
    assert settings.memory == Memory(folded={"Keys": True})
    assert [type(error) for error in said] == [SettingsError]
    assert file.with_name("window-damaged.json").read_bytes() == content
    assert json.loads(file.read_text())["folded"] == {"Keys": True}


def test_the_file_of_a_newer_program_is_left_as_it_is(file):
    file.parent.mkdir()
    file.write_text('{"format": 2, "else": 1}')
    said: list[Exception] = []
    settings = Settings(file, said.append)
    settings.fold("Keys", True)
    assert settings.memory.folded == {"Keys": True}, "in this session"
    assert file.read_text() == '{"format": 2, "else": 1}'
    assert len(said) == 1


def test_what_cannot_be_written_is_said_once_and_remembered_for_the_session(file):
    file.parent.write_text("in the way")
    said: list[Exception] = []
    settings = Settings(file, said.append)
    settings.fold("Keys", True)
    settings.fold("Keys", False)
    assert settings.memory.folded == {"Keys": False}
    assert [type(error) for error in said] == [SettingsError]
