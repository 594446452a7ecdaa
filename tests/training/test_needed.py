"""What a user reads who has not installed what training needs."""

import importlib
import sys

import pytest

import training


@pytest.mark.parametrize(("first_argument", "kind"), [("-m", SystemExit), ("script.py", ImportError)])
def test_missing_packages_are_named_in_a_sentence(first_argument, kind, monkeypatch):
    monkeypatch.setattr(sys, "argv", [first_argument])
    monkeypatch.setattr("patchfield.runs.extra.find_spec", lambda name: None)
    with pytest.raises(kind, match=r"training needs lightning-fabric.*pip install"):
        importlib.reload(training)
