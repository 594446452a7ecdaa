"""One file that fails leaves the others: what went wrong is kept, a sentence for each."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from patchfield.errors import error_sentence, printable

LOG = "patchfield-errors.log"
"""In the folder of the results: tracebacks of defects."""


@dataclass
class Failures:
    """Why files failed.

    Attributes
    ----------
    folder : Path
        Where the tracebacks of defects are written, to :data:`LOG`.
    sentences : dict of Path to str
        One sentence for every file that failed; it names the file.
    """

    folder: Path
    sentences: dict[Path, str] = field(default_factory=dict)

    @contextmanager
    def caught(self, path: Path) -> Iterator[None]:
        """Turn whatever goes wrong with a file into its sentence; only Ctrl+C and the like pass.

        Examples
        --------
        >>> failures = Failures(Path("results"))
        >>> with failures.caught(Path("a.tif")):
        ...     raise MemoryError
        >>> failures.sentences[Path("a.tif")]
        'a.tif: There is not enough memory: close other programs, take a faster sampling or a smaller image, or ...'
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 (the one place: a batch of a thousand files outlives a defect)
            self.add(path, error)

    def add(self, path: Path, error: Exception) -> None:
        """Note why a file failed."""
        sentence = error_sentence(error) or defect_sentence(error, self.folder / LOG)
        name = printable(str(path))
        self.sentences[path] = sentence if name in sentence else f"{name}: {sentence}"


def defect_sentence(error: BaseException, log: Path) -> str:
    """One line about a defect of ours; the traceback is appended to a log file, or shown when that cannot be."""
    text = "".join(traceback.format_exception(error))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{text}\n")
        where = f"is in {log}"
    except OSError:
        sys.stderr.write(text)
        where = "is above"
    reason = " ".join(str(error).split())
    return f"A defect of Patchfield ({type(error).__name__}: {reason}): please report it; the traceback {where}."
