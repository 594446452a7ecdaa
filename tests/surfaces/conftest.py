"""napari's own readers open files, as its menu does it."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _napari_readers() -> None:
    from npe2 import PluginManager

    # Not napari's own call: it does nothing a second time, and the first may have been for the manager of a test.
    PluginManager.instance().discover()
