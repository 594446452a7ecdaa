"""Is one backbone better than another? The comparison, its verdict, and what it is written to."""

from patchfield.evaluate.report.comparison import compare
from patchfield.evaluate.report.published import PublishedTable, repeat_table
from patchfield.evaluate.report.report import Change, Report, write_report

__all__ = ["Change", "PublishedTable", "Report", "compare", "repeat_table", "write_report"]
