"""What a person is asked before something is done that cannot be taken for granted."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question with two answers.

    Attributes
    ----------
    title : str
        In a few words.
    facts : tuple of str
        What will change, a sentence each.
    go_on, keep : str
        The answers: what buttons say.
    """

    title: str
    facts: tuple[str, ...]
    go_on: str
    keep: str


Ask = Callable[[Question, Callable[[], None]], None]
"""Asks, and calls what is to be done if the answer is to go on."""


def without_asking(question: Question, then: Callable[[], None]) -> None:
    """Go on: what a script wants."""
    then()
