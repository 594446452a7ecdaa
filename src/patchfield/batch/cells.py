"""Text in tables that spreadsheets open."""

import os
from pathlib import Path

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute (OWASP, "CSV injection")."""


def text_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe goes before what would be one.

    Examples
    --------
    >>> text_cell("=1+1"), text_cell("pore")
    ("'=1+1", 'pore')
    """
    safe = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return f"'{safe}" if safe.startswith(_FORMULA) else safe


def readable_path(path: Path) -> str:
    r"""A path as text of any console or table; bytes that are no UTF-8 are written as numbers.

    Examples
    --------
    >>> readable_path(Path(os.fsdecode(b"gr\xf6sse.png")))
    'gr\\xf6sse.png'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")
