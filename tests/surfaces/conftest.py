"""napari's own readers open files, as its menu does it."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _napari_readers() -> None:
    from napari.plugins import _initialize_plugins

    _initialize_plugins()
