"""What README, CONTRIBUTING and docs name exists: files, commands, options. Their Python blocks run as tests, too."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from patchfield.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FILES = re.compile(r"`((?:src|training|tests|benchmarks|scripts|docs)/[\w./-]*)")
LINKS = re.compile(r"\]\((?!https?:|mailto:)([^)#]+)")
COMMANDS = re.compile(r"(?:^|`)patchfield (?!\[)((?:project )?[a-z-]+)([^`\n]*)", re.MULTILINE)
OPTIONS = re.compile(r"(?<![\w-])(--?[a-z][\w-]*)")


def pages() -> list[object]:
    return [pytest.param(page.read_text(encoding="utf-8"), page.parent, id=page.name) for page in PAGES]


def named_commands(text: str) -> Iterator[tuple[str, set[str]]]:
    """The commands that a page shows, with the options they are given; comments behind them are left out."""
    for name, rest in COMMANDS.findall(text):
        yield name, set(OPTIONS.findall(rest.split("  #")[0]))


@pytest.mark.parametrize(("text", "folder"), pages())
def test_files_and_links_lead_somewhere(text, folder):
    missing = [name for name in FILES.findall(text) if not (ROOT / name).exists()]
    missing += [link for link in LINKS.findall(text) if not (folder / link).exists()]
    assert not missing


def known_commands() -> dict[str, Any]:
    """Every command by its name; those of a group by both."""
    commands = typer.main.get_command(app).commands
    return commands | {
        f"{group} {name}": command
        for group, of_group in commands.items()
        for name, command in getattr(of_group, "commands", {}).items()
    }


@pytest.mark.parametrize(("text", "folder"), pages())
def test_commands_take_the_options_shown(text, folder):
    commands = known_commands()
    for name, options in named_commands(text):
        assert name in commands
        known = {option for parameter in commands[name].params for option in parameter.opts} | {"-h", "--help"}
        assert options <= known


def test_the_page_of_commands_is_complete():
    shown = {name.split()[0] for name, _ in named_commands((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert set(typer.main.get_command(app).commands) <= shown
