"""Text in tables that spreadsheets open."""

from patchfield.errors import printable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute (OWASP, "CSV injection")."""


def text_cell(text: str) -> str:
    """Printable text that no spreadsheet takes for a formula: an apostrophe goes before what would be one.

    Examples
    --------
    >>> text_cell("=1+1"), text_cell("pore")
    ("'=1+1", 'pore')
    """
    safe = printable(text)
    return f"'{safe}" if safe.startswith(_FORMULA) else safe
