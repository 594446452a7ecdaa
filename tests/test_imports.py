"""The rooms of the house import one way, and the core needs neither Qt nor napari."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "patchfield"
ROOMS = (
    ("errors", "atomic"),
    ("images",),
    ("samples", "backbones"),
    ("field",),
    ("probe", "explore"),
    ("evaluate",),
    ("pipeline",),
    ("batch",),
    ("cli",),
    ("__main__", "napari", "testing"),
)
"""From the ground up: a room imports from itself and from the floors below."""

FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package, by its dotted name without `patchfield`."""
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            yield name, ast.parse(file.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    """The dotted names that a module imports anywhere, also inside functions and for type checkers."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module)
    return names


def test_every_room_has_its_floor():
    rooms = {name.split(".")[0] for name, _ in modules()}
    assert rooms <= set(FLOOR), "a new room: give it a floor in ROOMS"


@pytest.mark.parametrize(("name", "tree"), list(modules()), ids=[name for name, _ in modules()])
def test_rooms_import_from_below(name, tree):
    room = name.split(".")[0]
    for other in imported(tree):
        if not other.startswith("patchfield."):
            continue
        home = other.split(".")[1]
        assert home == room or FLOOR[home] < FLOOR[room], f"{name} imports {other}, which is not below it"


@pytest.mark.parametrize(
    ("name", "tree"),
    [pair for pair in modules() if not pair[0].startswith("napari")],
    ids=lambda value: str(value)[:30],
)
def test_the_core_knows_neither_qt_nor_napari(name, tree):
    graphical = {"napari", "qtpy", "superqt", "magicgui", "PyQt5", "PyQt6", "PySide2", "PySide6", "vispy", "training"}
    tops = {other.split(".")[0] for other in imported(tree)}
    assert not tops & graphical
    assert not any(other.startswith("patchfield.napari") for other in imported(tree))


def test_importing_patchfield_is_cheap():
    program = "import sys, patchfield; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "timm", "numpy", "scipy", "skimage", "sklearn", "napari", "qtpy", "PyQt6", "PIL", "typer"}
    assert "patchfield" in loaded
    assert not heavy & set(loaded)


def test_the_command_starts_without_torch():
    program = "import sys, patchfield.cli; print('torch' in sys.modules, 'napari' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_public_name_leads_somewhere():
    import patchfield

    for name in patchfield.__all__:
        assert getattr(patchfield, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        patchfield.nothing  # noqa: B018
