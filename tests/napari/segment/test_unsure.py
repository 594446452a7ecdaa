"""Where a stroke would help most."""

import numpy as np

from patchfield.napari.layers import Role
from patchfield.napari.segment.unsure import unsure_positions
from patchfield.napari.session.places import Place
from patchfield.napari.session.planes import Plane
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


def test_the_tour_marks_one_unsure_place_after_the_other_and_goes_back(painted, viewer):
    painted.show(Show.UNCERTAINTY)
    uncertainty = painted.current.result(Role.UNCERTAINTY).data
    tour, visited = painted.tour, []
    began = tuple(viewer.scene.camera.center), viewer.scene.camera.zoom
    for _ in range(2):
        tour.next()
        ring = painted.current.result(Role.MARK)
        visited.append(tuple(int(x) for x in ring.data[0]))
    assert visited[0] != visited[1]
    row, column = visited[0]
    nearby = uncertainty[max(0, row - 8) : row + 8, max(0, column - 8) : column + 8]
    assert nearby.mean() > np.percentile(uncertainty, 75)
    tour.back()
    assert tuple(int(x) for x in painted.current.result(Role.MARK).data[0]) == visited[0]
    tour.next()
    assert tuple(int(x) for x in painted.current.result(Role.MARK).data[0]) == visited[1]
    tour.back()
    tour.back()
    assert painted.current.result(Role.MARK) is None
    assert (tuple(viewer.scene.camera.center), viewer.scene.camera.zoom) == began
    tour.back()


def test_a_stroke_takes_the_ring_away(painted, stroke):
    painted.tour.next()
    assert painted.current.result(Role.MARK) is not None
    stroke(painted, 1, 20, 20)
    assert painted.current.result(Role.MARK) is None


def test_the_view_of_a_place_at_the_border_stays_within_the_image(controller, viewer):
    viewer.add_image(np.zeros((2000, 3000), np.uint8), scale=(2, 2), name="large")
    viewer.scene.camera.zoom = 1
    source = controller.current.source
    controller.places.visit(Place(Plane(source.id, ()), 3, 2995))
    half = np.array(viewer.canvas.size) / viewer.scene.camera.zoom / 2
    middle = np.array(viewer.scene.camera.center[-2:])
    assert (middle - half >= np.array([-1, -1]) - 1e-6).all()
    assert (middle + half <= np.array([3999, 5999]) + 1e-6).all()
    assert middle[0] - half[0] <= 6 <= middle[0] + half[0]
    assert middle[1] - half[1] <= 5990 <= middle[1] + half[1]
