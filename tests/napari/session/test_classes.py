import pytest

from patchfield.errors import LabelError
from patchfield.napari.session.classes import MAX_VALUE, ClassTable
from patchfield.probe import ClassInfo


@pytest.fixture
def table() -> ClassTable:
    return ClassTable()


def calls_of(signal) -> list:
    calls = []
    signal.connect(lambda: calls.append(True))
    return calls


def test_two_classes_wait_to_be_painted(table):
    assert [(entry.value, entry.name) for entry in table] == [(1, "class 1"), (2, "class 2")]
    assert table.painted == 0


def test_a_new_class_takes_the_smallest_free_value_and_another_colour(table):
    table.remove(1)
    assert table.add().value == 1
    assert table.add().value == 3
    assert len({entry.color for entry in table}) == 3


def test_values_without_a_class_get_one_when_they_are_painted(table):
    table.count({1: 10, 7: 5})
    assert table[7].pixels == 5
    assert table.values == (1, 2, 7)


def test_counting_is_told_apart_from_changing(table):
    changed, counted = calls_of(table.changed), calls_of(table.counted)
    table.count({1: 10})
    assert (len(changed), len(counted)) == (0, 1)
    table.count({1: 10})
    assert len(counted) == 1, "nothing new"
    table.rename(1, "ferrite")
    assert len(changed) == 1


def test_a_removed_class_comes_back_as_it_was(table):
    table.rename(2, "pore")
    table.recolor(2, "#123456")
    table.add()
    table.remove(2, returns=True)
    assert table.add().value == 4, "2 is kept for undo"
    table.count({1: 3, 2: 4})
    assert table.values == (1, 2, 3, 4), "where it was"
    assert (table[2].name, table[2].color, table[2].pixels) == ("pore", "#123456", 4)


def test_loaded_classes_replace_all_that_are_not_painted(table):
    table.count({1: 10})
    table.replace({3: ClassInfo("pore", "#000000")})
    assert table.values == (3, 1)


def test_hidden_classes_keep_their_colour_for_painting(table):
    table.set_visible(1, False)
    assert 1 in table.colors()
    assert 1 not in table.colors(only_visible=True)


def test_a_value_that_the_labels_cannot_hold_is_refused(table):
    table.ensure(range(1, MAX_VALUE + 1))
    with pytest.raises(LabelError, match="255"):
        table.add()


def test_classes_are_moved_within_the_list(table):
    table.add()
    table.move(3, -2)
    assert table.values == (3, 1, 2)
    table.count({1: 5, 2: 5, 3: 5})
    table.rename(1, "ferrite")
    assert table.values == (3, 1, 2), "the order stays"
    changed = calls_of(table.changed)
    table.move(3, -1)
    assert not changed, "it is at the top"
