"""Nothing in a project is believed before it is checked: projects are handed on."""

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

MAX_TEXT = 4096


def require(condition: bool, what: str) -> None:
    """Raise ValueError, which says what is wrong, unless a condition holds."""
    if not condition:
        raise ValueError(what)


def mapping(value: Any, what: str, keys: Collection[str] | None = None) -> dict[str, Any]:
    """A JSON object, with exactly some keys where these are given."""
    require(isinstance(value, dict), what)
    found: dict[str, Any] = value
    if keys is not None:
        missing, unknown = sorted(set(keys) - set(found)), sorted(set(found) - set(keys))
        require(not missing, f"{missing[0] if missing else ''!r} is missing in {what}")
        require(not unknown, f"{unknown[0] if unknown else ''!r} is unknown in {what}")
    return found


def listing(value: Any, what: str = "a list", longest: int = 10**6) -> list[Any]:
    """A JSON list."""
    require(isinstance(value, list) and len(value) <= longest, what)
    found: list[Any] = value
    return found


def text(value: Any, what: str) -> str:
    """A text of bounded length."""
    require(isinstance(value, str) and len(value) <= MAX_TEXT, what)
    return str(value)


def whole(value: Any, lowest: int, highest: int, what: str) -> int:
    """A whole number within limits."""
    require(isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest, what)
    return int(value)


def number(value: Any, what: str) -> float:
    """A finite number."""
    require(isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value), what)
    return float(value)


def read_json(path: Path, max_bytes: int) -> dict[str, Any]:
    """The JSON object in a file.

    Raises
    ------
    ValueError
        When there is none, or the file is too large.
    OSError
        When it cannot be read.
    """
    require(path.is_file(), "there is no such file")
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    require(len(content) <= max_bytes, "it is too large")
    try:
        return mapping(json.loads(content.decode("utf-8")), "it is no JSON object")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
