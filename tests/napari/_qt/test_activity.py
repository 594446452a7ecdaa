"""napari's activity dock: what goes on has a bar, and the bar's button stops it."""

import pytest

from patchfield.field import FeatureRecipe
from patchfield.napari._qt.activity import Activity
from patchfield.napari.controller import Controller

pytestmark = pytest.mark.gui
TITLE = "Computing features"


@pytest.fixture
def at_work(viewer, stepped, two_phases, qapp) -> Controller:
    """A controller in the middle of an extraction of many views."""
    controller = Controller(viewer, stepped, FeatureRecipe("micro", "hr-dv2"))
    viewer.add_image(two_phases())
    while controller.features.extracting is None:
        stepped.step()
    yield controller
    controller.close()


def test_a_bar_goes_with_the_work_and_its_button_stops_it(at_work, stepped, qtbot):
    activity = Activity(at_work)
    stepped.step()
    qtbot.waitUntil(lambda: TITLE in activity.bars)
    before = activity.bars[TITLE].n
    stepped.step()
    qtbot.waitUntil(lambda: activity.bars[TITLE].n > before)
    assert activity.bars[TITLE].total == at_work.features.extracting.total
    activity.bars[TITLE].cancel()
    assert at_work.features.problem is not None
    qtbot.waitUntil(lambda: not activity.bars)
    activity.close()


def test_bars_end_with_the_panel(at_work, stepped, qtbot):
    activity = Activity(at_work)
    stepped.step()
    qtbot.waitUntil(lambda: TITLE in activity.bars)
    activity.close()
    assert not activity.bars
    stepped.run()
    qtbot.wait(400)
    assert not activity.bars
