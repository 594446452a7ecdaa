"""The command that compares results with masks: `evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from patchfield.cli.options import OutputFile

MAX_COLUMNS = 15
"""More do not fit beside each other."""


def evaluate(
    segmentations: Annotated[
        list[str], typer.Argument(metavar="SEGMENTATION", help="Segmentation files, folders or patterns.")
    ],
    masks: Annotated[
        str,
        typer.Option(
            help="Mask, or a folder or pattern of them, by name; of a folder that holds masks and strokes, the masks. "
            "0 does not count."
        ),
    ],
    ignore: Annotated[
        list[int] | None,
        typer.Option(
            help="A further value of masks that does not count; may be repeated. Left out, 255 and 65535 do not count "
            "where they occur in no segmentation, as the void of many data sets."
        ),
    ] = None,
    output: OutputFile = None,
) -> None:
    """Compare segmentations with masks: mean IoU, accuracy and the IoU of every class."""
    from patchfield.batch.outputs import check_folder, check_not_inputs
    from patchfield.batch.scores import check_scores_file, score_files, score_table, write_scores
    from patchfield.batch.selection import MASKS_FIRST, find_labels, find_segmentations
    from patchfield.cli.terminal import say, show_failures, stoppable

    files, mask_files = find_segmentations(segmentations), find_labels(masks, MASKS_FIRST)
    if output is not None:
        check_not_inputs([output], (*files, *mask_files))
        check_scores_file(output)
        check_folder(output.parent)
    with stoppable(output):
        result = score_files(files, mask_files, Path() if output is None else output.parent, ignore or None)
        if result.scores:
            _show(*score_table(result.scores), written=output is not None)
        if output is not None and result.scores:
            write_scores(output, result.scores)
    for note in result.notes:
        say(note)
    show_failures(result.failures.sentences)
    if result.failures.sentences or not result.scores:
        raise typer.Exit(1)


def _show(columns: list[str], rows: list[list[str]], written: bool) -> None:
    """The table, without the classes where there are too many to be read side by side."""
    from patchfield.batch.scores import COLUMNS
    from patchfield.cli.terminal import say, show_table

    shown = len(columns) if len(columns) <= MAX_COLUMNS else len(COLUMNS)
    show_table("Agreement with the masks", columns[:shown], [row[:shown] for row in rows])
    if shown < len(columns):
        where = "in the CSV file" if written else "in a CSV file with --output"
        say(f"The IoU of each of the {len(columns) - shown} classes is {where}.")
