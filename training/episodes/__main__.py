"""Train a small backbone of your own on labelled images.

``python -m training.episodes --labels DIR --output DIR`` trains the network behind ``micro`` on episodes: strokes on
one image, a linear classifier in closed form, the rest of that image and another one to predict. The result is listed
by ``patchfield models`` and in the app. See docs/micro.md.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console

from patchfield.errors import PatchfieldError
from training.engine.logs import write_status
from training.episodes.run import train
from training.episodes.settings import EpisodeSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 done, 1 failed, 3 stopped by a signal and resumable."""
    console = Console(stderr=True)
    folder = None
    try:
        settings = read_settings(sys.argv[1:] if arguments is None else arguments)
        folder = Path(settings.output)
        write_status(folder, "starting")
        outcome = train(settings, console)
    except PatchfieldError as error:
        console.print(f"Error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        if folder is not None:
            write_status(folder, "failed", str(error))
        return 1
    message = outcome.message or f"Written: {outcome.exported}"
    console.print(message, highlight=False, markup=False, soft_wrap=True)
    write_status(folder, "finished" if outcome.exported else "stopped", outcome.message)
    return 0 if outcome.exported else 3


def read_settings(arguments: Sequence[str]) -> EpisodeSettings:
    """Settings from flags and from the file of ``--config``; flags win."""
    parser = build_parser()
    values = vars(parser.instantiate(parser.parse_args(arguments)))
    return EpisodeSettings(**{key: value for key, value in values.items() if key != "config"})


def build_parser() -> ArgumentParser:
    """A parser of all options, explained by the docstrings of the settings."""
    parser = ArgumentParser(prog="python -m training.episodes", description=__doc__.partition("\n")[0])
    parser.add_argument("--config", action="config", help="YAML file with any of the options below.")
    parser.add_class_arguments(EpisodeSettings, as_group=False)
    return parser


if __name__ == "__main__":
    sys.exit(main())
