"""The built wheel holds everything, and works where only the wheel is."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from what git would ship."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("src", "training"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    output = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", output, source]
    subprocess.run(build, check=True, capture_output=True)
    return next(output.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel in it; its dependencies are borrowed from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / SCRIPTS / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel]
    subprocess.run(install, check=True)
    site = next(folder.glob("[Ll]ib/**/site-packages"))
    # Folders that a .pth file names are searched after this environment's own and their own .pth files are not read, so
    # an editable install beside the borrowed packages stays out.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def run(environment: Path, *command: str) -> str:
    """What a program of the environment prints, run where the checkout cannot be imported from."""
    program = [environment / SCRIPTS / command[0], *command[1:]]
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(program, capture_output=True, text=True, cwd=environment, env=variables, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_both_packages_the_manifest_and_the_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for expected in ("patchfield/napari/napari.yaml", "patchfield/py.typed", "training/py.typed"):
        assert expected in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.split("/")[0] in ("tests", "benchmarks", "docs", ".ci")]


def test_the_version_is_stated_once(wheel):
    import patchfield

    assert wheel.name.split("-")[1] == patchfield.__version__
    for name in ("pyproject.toml", "CITATION.cff"):
        assert patchfield.__version__ not in (ROOT / name).read_text(encoding="utf-8")


def test_every_module_of_the_checkout_is_in_the_wheel(wheel):
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    modules = {file.relative_to(ROOT / "src").as_posix() for file in (ROOT / "src").rglob("*.py")}
    modules |= {file.relative_to(ROOT).as_posix() for file in (ROOT / "training").rglob("*.py")}
    assert shipped == modules


def test_the_installed_package_is_the_wheel_and_its_command_runs(environment):
    where = run(environment, "python", "-c", "import patchfield; print(patchfield.__file__)")
    assert Path(where.strip()).is_relative_to(environment)
    assert "segment" in run(environment, "patchfield", "--help")


def test_npe2_accepts_the_manifest(environment):
    module = "import sys; from npe2.cli import main; sys.argv[0] = 'npe2'; main()"
    for target in ("napari-patchfield", str(ROOT / "napari.yaml")):
        assert "valid" in run(environment, "python", "-c", module, "validate", target)


def test_the_manifest_at_the_root_is_the_one_in_the_package():
    assert (ROOT / "napari.yaml").read_bytes() == (ROOT / "src/patchfield/napari/napari.yaml").read_bytes()


def test_every_command_of_the_manifest_can_be_imported(environment):
    program = """
from importlib import import_module
from npe2 import PluginManifest
manifest = PluginManifest.from_distribution("napari-patchfield")
for command in manifest.contributions.commands:
    module, name = command.python_name.split(":")
    print(getattr(import_module(module), name))
"""
    assert run(environment, "python", "-c", program).count("\n") > 3
