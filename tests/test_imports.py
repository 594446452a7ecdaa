"""The package and its command start quickly, and every public name leads somewhere."""

import subprocess
import sys

import pytest


def loaded_by(program: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after a program."""
    ending = "; print(*{name.partition('.')[0] for name in __import__('sys').modules})"
    done = subprocess.run([sys.executable, "-c", program + ending], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_patchfield_is_cheap():
    loaded = loaded_by("import patchfield; patchfield.__version__")
    heavy = {"torch", "timm", "numpy", "scipy", "skimage", "sklearn", "napari", "qtpy", "PyQt6", "PIL", "typer"}
    assert "patchfield" in loaded
    assert not heavy & loaded


def test_the_command_starts_without_torch():
    assert not {"torch", "napari"} & loaded_by("import patchfield.cli")


def test_every_public_name_leads_somewhere():
    import patchfield

    for name in patchfield.__all__:
        assert getattr(patchfield, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        patchfield.nothing  # noqa: B018
