from dataclasses import replace

import pytest

from patchfield.napari.session.status import Progress, Situation, State, status_for

NOTHING = Situation()
IMAGE = Situation(image="steel", backbone="neco-small")
FIELD = replace(IMAGE, has_field=True)
LIVE = replace(FIELD, painted=2, has_probe=True, seconds=0.087)

CASES = [
    (NOTHING, State.NO_IMAGE, "drop an image"),
    (replace(IMAGE, loading=Progress(0, 0, "bytes")), State.LOADING_WEIGHTS, "Loading neco-small"),
    (replace(IMAGE, loading=Progress(34_000_000, 88_000_000, "bytes")), State.LOADING_WEIGHTS, "34 of 88 MB"),
    (replace(IMAGE, extracting=Progress(3, 48, "tiles")), State.COMPUTING, "3 of 48 tiles"),
    (replace(IMAGE, extracting=Progress(3, 48, "tiles", 350)), State.COMPUTING, "about 6 min left"),
    (replace(IMAGE, problem="No network."), State.STOPPED, "No network."),
    (replace(IMAGE, problem="No network.", outdated=True), State.STOPPED, "still of the features before"),
    (replace(FIELD, flat=True), State.FLAT, "nothing to tell apart"),
    (replace(FIELD, painted=2, extracting=Progress(3, 48, "tiles")), State.NEED_CLASSES, "as soon as their part"),
    (replace(FIELD, painted=1, problem="Stopped."), State.NEED_CLASSES, "Stopped."),
    (FIELD, State.NEED_CLASSES, "strokes of class 1, then of class 2"),
    (replace(FIELD, painted=1), State.NEED_CLASSES, "paint another class"),
    (LIVE, State.LIVE, "updated in 0.09 s"),
    (LIVE, State.LIVE, "N: next unsure place"),
    (replace(LIVE, agreement=0.971), State.LIVE, "agreement 0.97"),
    (replace(LIVE, updating=True), State.LIVE, "updating"),
    (replace(LIVE, extracting=Progress(5, 48, "tiles")), State.LIVE, "features: 5 of 48 tiles"),
    (replace(LIVE, stale=True, live=False), State.STALE, "Shift+S"),
    (replace(LIVE, stale=True), State.LIVE, "Live"),
    (replace(LIVE, painted=0), State.LIVE, "Live"),
]


@pytest.mark.parametrize(("situation", "state", "words"), CASES)
def test_the_state_line_tells_the_truth(situation, state, words):
    status = status_for(situation)
    assert status.state is state
    assert words in status.sentence


def test_progress_is_shown_while_features_refine_a_live_segmentation():
    progress = Progress(5, 48, "tiles")
    assert status_for(replace(LIVE, extracting=progress)).progress == progress
    assert status_for(LIVE).progress is None
