"""Where a stroke would help most."""

import numpy as np

from patchfield.napari.layers import Role
from patchfield.napari.segment.unsure import unsure_positions
from patchfield.napari.session.view import Show


def test_unsure_positions_are_apart_in_order_and_not_where_strokes_are():
    uncertainty = np.zeros((200, 200))
    uncertainty[32:48, 32:48], uncertainty[160:176, 160:176], uncertainty[32:48, 160:176] = 0.9, 0.7, 1.0
    painted = np.zeros((200, 200), np.uint8)
    painted[40, 165] = 1
    places = unsure_positions(uncertainty, painted, count=2)
    assert [uncertainty[place] for place in places] == [0.9, 0.7]


def test_a_sure_image_has_no_unsure_place():
    assert unsure_positions(np.zeros((50, 60))) == []


def test_the_tour_goes_from_one_unsure_place_to_the_next(painted, viewer):
    painted.show(Show.UNCERTAINTY)
    uncertainty = painted.current.result(Role.UNCERTAINTY).data
    tour, visited = painted.tour, []
    for _ in range(2):
        tour.next()
        visited.append(tuple(int(x) for x in viewer.scene.camera.center[-2:]))
    assert visited[0] != visited[1]
    row, column = visited[0]
    nearby = uncertainty[max(0, row - 8) : row + 8, max(0, column - 8) : column + 8]
    assert nearby.mean() > np.percentile(uncertainty, 75)
