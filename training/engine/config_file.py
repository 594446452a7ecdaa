"""Configuration files: YAML as plain data, read before anything else of it is believed."""

from pathlib import Path
from typing import Any

import yaml

from training.errors import TrainingError

MAX_BYTES = 2**20


def read_config(path: Path) -> dict[str, Any]:
    """The values of a configuration file.

    Raises
    ------
    TrainingError
        When it is missing, no text, too large, no mapping of names to values, or uses aliases or tags, which no
        setting needs.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TrainingError(f"{path} has {size} bytes, too many for a file of settings: is it another file?")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{path} cannot be read ({error.strerror}): give a YAML file of settings.") from error
    except UnicodeDecodeError as error:
        raise TrainingError(f"{path} is no text: give a YAML file of settings.") from error
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise TrainingError(f"{path} uses aliases (*{event.anchor}): write the values out.")
            if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None) is not None:
                raise TrainingError(f"{path} uses tags ({event.tag}): write plain values.")  # type: ignore[attr-defined]
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, TrainingError):
            raise
        where = str(getattr(error, "problem_mark", "") or "").strip()
        raise TrainingError(f"{path} is no YAML file of settings{f' ({where})' if where else ''}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise TrainingError(f"{path} holds no settings: give lines such as 'steps: 1000'.")
    return values
