"""Commands that show what there is: `demo`, `models` and `info`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from patchfield.cli.options import OutputFolder, SamplingName, check_backbone, value_of


def demo(
    output: OutputFolder = Path("demo-output"),
    sample: Annotated[str, typer.Option(help="Which sample; a wrong name lists them.")] = "alloy",
    backbone: Annotated[
        str | None,
        typer.Option("--backbone", "-b", help="Name or file; left out, the one that the window begins with."),
    ] = None,
    sampling: SamplingName = None,
) -> None:
    """Segment a shipped sample from its strokes and write pictures of every step."""
    from patchfield.backbones import default_backbone
    from patchfield.cli.demonstration import demonstrate
    from patchfield.cli.terminal import Bars, say, stoppable
    from patchfield.field import Sampling
    from patchfield.samples import load_sample

    with value_of("--sample"):
        chosen = load_sample(sample)
    with value_of("--sampling"):
        views = Sampling.parse(sampling or "balanced")
    if backbone is not None:
        check_backbone(backbone)
    with stoppable(output), Bars() as bars:
        name = backbone or default_backbone()
        done = demonstrate(chosen, output, name, str(views), partial(bars, Path(sample)), bars.download)
    say(done.summary)
    say(f"Written to {output}: {', '.join(file.name for file in done.files)}")


def models(
    links: Annotated[bool, typer.Option("--links", help="Where to fetch the files by hand, for offline use.")] = False,
    every: Annotated[bool, typer.Option("--all", help="All that have a name, not only those to begin with.")] = False,
) -> None:
    """List the backbones: what they are for, download size, licence, and whether they are here already.

    Models of timm need no entry here: give timm:NAME wherever a backbone is asked for.
    """
    from patchfield.cli.about import weight_links, weight_rows, weight_terms
    from patchfield.cli.terminal import say, show_table

    if links:
        for name, address in weight_links():
            say(f"{name:26}{address}")
        return
    show_table("Backbones", ("name", "what for", "download", "licence", "here"), weight_rows(every))
    for terms in weight_terms(every):
        say(terms)
    if not every:
        say("All that have a name: patchfield models --all. Any model of timm: --backbone timm:NAME.")


def info() -> None:
    """Show versions, devices and where downloads are kept; paste it into bug reports."""
    from patchfield.cli.about import installation
    from patchfield.cli.terminal import say

    for what, fact in installation().items():
        say(f"{what:20}{fact}")
