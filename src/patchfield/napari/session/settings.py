"""What outlives a session: what a person chose on napari's settings page, and what the window remembers by itself."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from platformdirs import user_config_path
from psygnal import Signal

from patchfield.atomic import atomic_path
from patchfield.errors import SettingsError
from patchfield.probe import ClassInfo
from patchfield.store.checks import listing, mapping, text, whole

FILE = "window.json"
FOLDER_VARIABLE = "PATCHFIELD_CONFIG"
"""Environment variable with the folder of :data:`FILE`."""
FORMAT = 1
MAX_BYTES = 2**20
MAX_RECENT = 10
AUTOMATIC, LAST_USED = "auto", "last used"
"""Two choices of the first backbone beside the names of backbones."""

Presets = Mapping[str, Mapping[int, ClassInfo]]


@dataclass(frozen=True)
class Preferences:
    """What is chosen on the settings page; its defaults are those of the plugin's manifest.

    Attributes
    ----------
    device : str
        Where backbones compute: "auto", "cpu", "cuda" or "mps".
    weights_folder : str
        Where weights are looked for and downloaded to; "" for the usual folder.
    backbone : str
        What a session begins with: a backbone's name, :data:`AUTOMATIC` or :data:`LAST_USED`.
    memory : float
        Gigabytes that features of planes without strokes may take before the oldest are dropped.
    offline : bool
        Whether nothing is ever downloaded.
    autosave : float
        Seconds from a stroke until it is on the disk.
    opacity : float
        Of segmentations, 0 to 1.
    """

    device: str = "auto"
    weights_folder: str = ""
    backbone: str = AUTOMATIC
    memory: float = 2.0
    offline: bool = False
    autosave: float = 1.0
    opacity: float = 0.45


@dataclass(frozen=True)
class Memory:
    """What the window remembers without being told to.

    Attributes
    ----------
    last_folder : Path or None
        Where a file was last opened or saved.
    last_backbone : str
        What features were last made with; "" at first.
    folded : mapping of str to bool
        Whether a section is folded, by its title; sections that nobody touched are not in it.
    presets : mapping of str to classes
        Sets of classes by name.
    recent_projects : tuple of Path
        The latest first.
    """

    last_folder: Path | None = None
    last_backbone: str = ""
    folded: Mapping[str, bool] = field(default_factory=dict)
    presets: Presets = field(default_factory=dict)
    recent_projects: tuple[Path, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "last_folder": None if self.last_folder is None else str(self.last_folder),
            "last_backbone": self.last_backbone,
            "folded": dict(self.folded),
            "presets": {
                name: {str(value): [info.name, info.color] for value, info in classes.items()}
                for name, classes in self.presets.items()
            },
            "recent_projects": [str(path) for path in self.recent_projects],
        }

    @classmethod
    def from_json(cls, document: Any) -> "Memory":
        """What a document says.

        Raises
        ------
        ValueError
            When it is not one of :meth:`to_json`.
        """
        said = mapping(document, "it is no memory of a window")
        folder = said.get("last_folder")
        folded = mapping(said.get("folded"), "'folded' is no mapping")
        presets = mapping(said.get("presets"), "'presets' is no mapping")
        return cls(
            last_folder=None if folder is None else Path(text(folder, "'last_folder' is no text")),
            last_backbone=text(said.get("last_backbone"), "'last_backbone' is no text"),
            folded={title: bool(whether) for title, whether in folded.items()},
            presets={name: _classes(name, classes) for name, classes in presets.items()},
            recent_projects=tuple(
                Path(text(path, "a recent project is no path")) for path in listing(said.get("recent_projects"))
            )[:MAX_RECENT],
        )


def _classes(name: str, classes: Any) -> dict[int, ClassInfo]:
    return {
        int(value): ClassInfo(*(text(part, f"a class of '{name}' is no text") for part in listing(info, longest=2)))
        for value, info in mapping(classes, f"'{name}' is no set of classes").items()
    }


class Settings:
    """Preferences and memory of one window; what is remembered is on the disk at once.

    Several windows share the file: what one remembers is added to what the others have written meanwhile.

    Parameters
    ----------
    path : Path, optional
        The file; without one nothing is kept beyond the session.
    on_error : callable, optional
        Called with a SettingsError when the file is damaged, and once when it cannot be written.

    Attributes
    ----------
    preferences : Preferences
    memory : Memory

    Examples
    --------
    >>> settings = Settings()
    >>> settings.remember_folder(Path("steel"))
    >>> settings.memory.last_folder.name, settings.preferences.device
    ('steel', 'auto')
    """

    preferred = Signal(Preferences)
    """Preferences changed."""
    remembered = Signal()
    """Something else is remembered."""

    def __init__(self, path: Path | None = None, on_error: Callable[[Exception], None] = lambda error: None) -> None:
        self.preferences = Preferences()
        self._path = path
        self._on_error = on_error
        self._unusable = False
        self.memory = self._read(Memory())

    def prefer(self, preferences: Preferences) -> None:
        """Take over what was chosen."""
        if preferences != self.preferences:
            self.preferences = preferences
            self.preferred.emit(preferences)

    def remember_folder(self, folder: Path) -> None:
        """Remember where a file was opened or saved."""
        self._remember(lambda memory: replace(memory, last_folder=folder))

    def remember_backbone(self, backbone: str) -> None:
        """Remember what features are made with."""
        self._remember(lambda memory: replace(memory, last_backbone=backbone))

    def fold(self, title: str, folded: bool) -> None:
        """Remember whether a section is folded."""
        self._remember(lambda memory: replace(memory, folded={**memory.folded, title: folded}))

    def save_preset(self, name: str, classes: Mapping[int, ClassInfo]) -> None:
        """Keep a set of classes under a name; one of that name is replaced."""
        self._remember(lambda memory: replace(memory, presets={**memory.presets, name: dict(classes)}))

    def remove_preset(self, name: str) -> None:
        """Forget a set of classes."""
        self._remember(lambda memory: replace(memory, presets={k: v for k, v in memory.presets.items() if k != name}))

    def remember_project(self, path: Path) -> None:
        """Put a project at the top of the recent ones."""

        def change(memory: Memory) -> Memory:
            others = [other for other in memory.recent_projects if other != path]
            return replace(memory, recent_projects=(path, *others)[:MAX_RECENT])

        self._remember(change)

    def forget_project(self, path: Path) -> None:
        """Take a project, which is gone, out of the recent ones."""
        self._remember(
            lambda memory: replace(memory, recent_projects=tuple(p for p in memory.recent_projects if p != path))
        )

    def _remember(self, change: Callable[[Memory], Memory]) -> None:
        before = self._read(self.memory)
        self.memory = change(before)
        if self.memory != before:
            self._write()
            self.remembered.emit()

    def _read(self, otherwise: Memory) -> Memory:
        """What the file says; a damaged one is put aside."""
        if self._path is None or self._unusable:
            return otherwise
        try:
            with self._path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError:  # there is none yet, or its folder is not ours to read
            return otherwise
        try:
            if len(content) > MAX_BYTES:
                raise ValueError("it is too large")
            document = mapping(json.loads(content.decode("utf-8")), "it is no JSON object")
            if whole(document.get("format"), 1, 10**6, "it has no format") > FORMAT:
                self._leave(SettingsError(f"{self._path} is of a newer Patchfield: it is left as it is, and unused."))
                return otherwise
            return Memory.from_json(document)
        except (ValueError, TypeError, RecursionError):  # a class without colour is a TypeError
            self._put_aside(self._path)
            return otherwise

    def _put_aside(self, path: Path) -> None:
        aside = path.with_stem(f"{path.stem}-damaged")
        try:
            path.replace(aside)
        except OSError as error:
            self._leave(error)
            return
        self._on_error(
            SettingsError(
                f"{path} is damaged: the window starts without what it remembered (folded sections, presets, recent "
                f"projects), and the file is kept as {aside.name}."
            )
        )

    def _leave(self, error: Exception) -> None:
        """Neither read nor write the file any more, and say why, once."""
        self._unusable = True
        self._on_error(error)

    def _write(self) -> None:
        if self._path is None or self._unusable:
            return
        try:
            with atomic_path(self._path) as temporary:
                temporary.write_text(json.dumps(self.memory.to_json(), indent=1), encoding="utf-8")
        except OSError as error:
            self._leave(
                SettingsError(
                    f"{self._path} cannot be written ({error.strerror or error}): what the window remembers is "
                    "forgotten at its end; make room or allow writing there."
                )
            )


def settings_file() -> Path:
    """Where the window's memory is kept: in ``$PATCHFIELD_CONFIG``, or the system's folder of configurations."""
    return Path(os.environ.get(FOLDER_VARIABLE) or user_config_path("patchfield", appauthor=False)) / FILE
