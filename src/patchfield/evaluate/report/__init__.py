"""Is one backbone better than another? The comparison, its verdict, and what it is written to."""

from patchfield.evaluate.report.comparison import compare
from patchfield.evaluate.report.report import Change, Report, write_report

__all__ = ["Change", "Report", "compare", "write_report"]
