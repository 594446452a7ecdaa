"""The command line of every objective: one parser, presets, exit codes, and a status file for programs that watch."""

import json
import sys
from argparse import ArgumentParser as EarlyParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

from jsonargparse import ArgumentParser
from rich.console import Console

from patchfield.atomic import atomic_path
from patchfield.errors import PatchfieldError
from patchfield.runs.folder import CHECKPOINT, STATUS, ExitCode, RunProgress, State, read_status, write_status
from training.engine.config_file import read_config
from training.engine.launch import is_first_process
from training.engine.objective import BatchT, Objective, SettingsT
from training.engine.run import Outcome, held, train
from training.engine.settings import with_present_names


def main(kind: type[Objective[SettingsT, BatchT]], arguments: Sequence[str] | None = None) -> int:
    """Run the command line of an objective.

    Returns
    -------
    int
        The exit code: 0 done, 1 failed, 3 stopped by a signal and resumable.
    """
    console = Console(stderr=True)
    try:
        settings = read_settings(kind, sys.argv[1:] if arguments is None else arguments)
        folder = Path(settings.output)
        with held(folder), _status_of_failures(folder):
            return _run(kind, settings, console)
    except PatchfieldError as error:
        console.print(f"Error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        return ExitCode.FAILED


def read_settings(kind: type[Objective[SettingsT, BatchT]], arguments: Sequence[str]) -> SettingsT:
    """Settings from flags and from the file of ``--config``; flags win, and both win over the preset's defaults.

    Raises
    ------
    TrainingError
        When a file or a value cannot be used.
    """
    arguments = _with_present_flags(kind, arguments)
    arguments, preset = _with_present_configs(kind, arguments)
    parser = build_parser(kind, preset)
    values = vars(parser.instantiate(parser.parse_args(arguments)))
    chosen = {key: value for key, value in values.items() if key not in ("config", "preset")}
    return cast("SettingsT", kind.Settings(**chosen))


def build_parser(kind: type[Objective[SettingsT, BatchT]], preset: str | None = None) -> ArgumentParser:
    """A parser whose defaults are those of a preset, explained by the docstrings of the settings."""
    module = sys.modules[kind.__module__].__package__ or kind.__module__
    parser = ArgumentParser(prog=f"python -m {module}", description=(kind.__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("--config", action="config", help="YAML file with any of the options below.")
    if kind.presets:
        names = tuple(kind.presets)
        preset = preset or names[0]
        parser.add_argument(
            "--preset",
            type=Literal[names],
            default=preset,
            help="Defaults of all options: for a lab's own images, or as published.",
        )
    parser.add_class_arguments(kind.Settings, as_group=False)
    if preset is not None:
        parser.set_defaults(dict(kind.presets[preset]))
    return parser


def _run(kind: type[Objective[SettingsT, BatchT]], settings: SettingsT, console: Console) -> int:
    folder = Path(settings.output)
    _write_status(folder, "starting")
    outcome = train(kind, settings, console)
    _evaluate(kind, settings, outcome, console)
    for line in (outcome.message, *(f"Written: {path}" for path in outcome.exported)):
        if line:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if outcome.exported or not outcome.message:
        _write_status(folder, "finished", outcome.message)
        return ExitCode.FINISHED
    _write_status(folder, "stopped", outcome.message)
    return ExitCode.STOPPED


def _evaluate(
    kind: type[Objective[SettingsT, BatchT]], settings: SettingsT, outcome: Outcome, console: Console
) -> None:
    evaluation = kind.evaluation(settings)
    if evaluation is None or not outcome.exported:
        return
    _write_status(Path(settings.output), "evaluating", progress=RunProgress(settings.steps, settings.steps))
    evaluation(outcome.exported[0], console)


@contextmanager
def _status_of_failures(folder: Path) -> Iterator[None]:
    """Write what went wrong into the status file; a start that was refused leaves that of an earlier run as it was."""
    path = folder / STATUS
    earlier = path.read_bytes() if path.exists() else None
    try:
        yield
    except PatchfieldError as error:
        if not is_first_process():
            raise
        status = read_status(folder)
        refused = (folder / CHECKPOINT).exists() and (status is None or status.state == "starting")
        if refused and earlier is not None:
            with atomic_path(path) as temporary:
                temporary.write_bytes(earlier)
        else:
            _write_status(folder, "failed", str(error))
        raise


def _write_status(folder: Path, state: State, message: str = "", progress: RunProgress | None = None) -> None:
    """Update the status file; the first process does it for all."""
    if not is_first_process():
        return
    try:
        write_status(folder, state, message, progress)
    except OSError:
        # The disk is full: the few bytes fit where the file is already.
        (folder / STATUS).write_text(json.dumps({"state": state, "message": message}), encoding="utf-8")


def _with_present_flags(kind: type[Objective[SettingsT, BatchT]], arguments: Sequence[str]) -> list[str]:
    """Flags by their present names."""
    present = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        renamed = kind.Settings.RENAMED.get(name.removeprefix("--")) if name.startswith("--") else None
        present.append(f"--{renamed}{equals}{value}" if renamed else argument)
    return present


def _with_present_configs(
    kind: type[Objective[SettingsT, BatchT]], arguments: Sequence[str]
) -> tuple[list[str], str | None]:
    """The flags with every configuration file checked, and the preset that flags or the last of these files name."""
    early = EarlyParser(add_help=False, allow_abbrev=False)
    early.add_argument("--preset")
    early.add_argument("--config", type=Path, action="append", default=[])
    known, _ = early.parse_known_args(arguments)
    named = known.preset
    present = list(arguments)
    for path in known.config:
        values = read_config(path)
        named = known.preset or values.get("preset", named)
        renamed = with_present_names(values, kind.Settings.RENAMED)
        if renamed != values:
            present = [_replaced(argument, path, renamed) for argument in present]
    return present, named if isinstance(named, str) and named in kind.presets else None


def _replaced(argument: str, path: Path, values: dict[str, Any]) -> str:
    """An argument that names a configuration file, with its values instead."""
    name, equals, value = argument.rpartition("=")
    return f"{name}{equals}{json.dumps(values)}" if value == str(path) else argument
