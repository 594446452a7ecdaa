"""The report of an evaluation: JSON, a table, and a verdict that admits when nothing changed."""

import json
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from patchfield.atomic import atomic_path
from patchfield.evaluate.metrics import Difference, paired_bootstrap
from patchfield.evaluate.micrographs.labelled import LabelledSet
from patchfield.evaluate.micrographs.suite import LABEL_FREE, Evaluation, EvaluationSettings
from patchfield.evaluate.report.tables import markdown_table

FORMAT = 1
"""Version of the JSON report."""

_PACKAGES = ("napari-patchfield", "torch", "timm", "numpy", "scikit-learn")
_HEADLINE = ("linear probe, strokes", "linear probe, full masks", "overclustering, 4 x classes", "retrieval")
_EQUAL = 1e-9


@dataclass(frozen=True)
class Change:
    """One measure of a backbone against the baseline, on the same images.

    Attributes
    ----------
    measure : str
    before, after : float
        Mean over the data sets of the mean over their test images.
    difference : Difference
        With its paired bootstrap interval over images, resampled within each set.
    largest : float
        Largest absolute change of any image.
    """

    measure: str
    before: float
    after: float
    difference: Difference
    largest: float

    @property
    def verdict(self) -> str:
        """What may be said: "equal", "higher", "lower", "no measurable change" or "too few images"."""
        return "equal" if self.largest < _EQUAL else self.difference.verdict


@dataclass(frozen=True)
class Report:
    """Evaluations of some backbones on the same data; the first one is the baseline.

    Attributes
    ----------
    settings : EvaluationSettings
    sets : tuple of LabelledSet
    evaluations : tuple of Evaluation
    """

    settings: EvaluationSettings
    sets: tuple[LabelledSet, ...]
    evaluations: tuple[Evaluation, ...]

    def changes(self, evaluation: Evaluation) -> list[Change]:
        """Every measure of a backbone against the baseline, taken on the images that both have a score for."""
        baseline = self.evaluations[0]
        return [
            _change(measure, baseline, evaluation)
            for measure in evaluation.measures()
            if baseline.image_means(measure).keys() & evaluation.image_means(measure).keys()
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values: settings, data and weights with their hashes, all scores, all comparisons, timings."""
        settings = asdict(self.settings)
        data = {
            labelled.name: {
                "fingerprint": labelled.fingerprint(),
                "train": [image.name for image in labelled.train],
                "test": [image.name for image in labelled.test],
            }
            for labelled in self.sets
        }
        return {
            "format": FORMAT,
            "settings": settings,
            "settings_hash": _hash(settings),
            "data": data,
            "data_hash": _hash(data),
            "backbones": [evaluation.to_json() for evaluation in self.evaluations],
            "comparisons": [
                {
                    "before": self.evaluations[0].name,
                    "after": evaluation.name,
                    "changes": [asdict(change) | {"verdict": change.verdict} for change in self.changes(evaluation)],
                }
                for evaluation in self.evaluations[1:]
            ],
            "environment": _environment(),
        }

    def table(self) -> str:
        """The report as Markdown."""
        blocks = [self._description(), *(self._comparison(evaluation) for evaluation in self.evaluations[1:])]
        if len(self.evaluations) == 1:
            blocks.append(self._single(self.evaluations[0]))
        blocks.append(self._seconds())
        return "\n\n".join(blocks) + "\n"

    def _description(self) -> str:
        train = sum(len(labelled.train) for labelled in self.sets)
        test = sum(len(labelled.test) for labelled in self.sets)
        names = ", ".join(f"{evaluation.name} (`{evaluation.fingerprint}`)" for evaluation in self.evaluations)
        left_out = self.evaluations[0].left_out
        unlabelled = f" Left out, because nothing is labelled: {', '.join(left_out)}." if left_out else ""
        return (
            "# Evaluation\n\n"
            f"Backbones: {names}.  \n"
            f"Data: {len(self.sets)} set(s), labels of {train} images to learn from, {test} other images to score."
            f"{unlabelled}  \n"
            f"Sampling {self.settings.sampling}, {self.settings.seeds} seeds. Scores are taken at the full resolution "
            "of the masks and averaged over the test images of a set, then over sets; mIoU is over the classes in an "
            "image's mask. About one in twenty intervals excludes zero where nothing has changed: read the rows "
            "together."
        )

    def _comparison(self, evaluation: Evaluation) -> str:
        before, after = self.evaluations[0].name, evaluation.name
        rows = [
            (
                _label(change.measure),
                f"{change.before:.3f}",
                f"{change.after:.3f}",
                f"{change.difference.mean:+.3f}",
                f"{change.difference.low:+.3f} to {change.difference.high:+.3f}",
                str(change.difference.count),
                change.verdict,
            )
            for change in self.changes(evaluation)
        ]
        head = ("measure", before, after, "difference", "95 % interval", "images", "verdict")
        blocks = [f"## {after} against {before}", markdown_table(head, rows)]
        if len(self.sets) > 1:
            blocks += [f"Difference by data set ({after} - {before}):", self._by_set(evaluation)]
        return "\n\n".join(blocks)

    def _by_set(self, evaluation: Evaluation) -> str:
        measures = [name for name in evaluation.measures() if name.startswith(_HEADLINE) and "oracle" not in name]
        rows = []
        for labelled in self.sets:
            cells = []
            for measure in measures:
                before = _means_by_set(self.evaluations[0], measure).get(labelled.name)
                after = _means_by_set(evaluation, measure).get(labelled.name)
                cells.append("-" if before is None or after is None else f"{before:.3f} {after - before:+.3f}")
            rows.append((labelled.name, str(len(labelled.test)), *cells))
        return markdown_table(("data set", "images", *measures), rows)

    def _single(self, evaluation: Evaluation) -> str:
        rows = []
        for measure in evaluation.measures():
            mean = np.mean(list(_means_by_set(evaluation, measure).values()))
            rows.append((_label(measure), f"{mean:.3f}", str(len(evaluation.image_means(measure)))))
        return markdown_table(("measure", evaluation.name, "images"), rows)

    def _seconds(self) -> str:
        kinds = list(dict.fromkeys(kind for evaluation in self.evaluations for kind in evaluation.seconds))
        rows = [
            (evaluation.name, *(f"{evaluation.seconds.get(kind, 0):.1f}" for kind in kinds))
            for evaluation in self.evaluations
        ]
        return "Seconds spent:\n\n" + markdown_table(("backbone", *kinds), rows)


def write_report(report: Report, folder: str | Path, pictures: Iterable[Path] = ()) -> None:
    """Write ``report.json`` and ``report.md`` into a folder, each whole or not at all.

    Parameters
    ----------
    report : Report
    folder : path
    pictures : iterable of Path
        Image files in that folder, shown at the end of the table.
    """
    folder = Path(folder)
    shown = "".join(f"\n![{path.stem}]({path.name})\n" for path in pictures)
    for name, text in (("report.json", json.dumps(report.to_json(), indent=1)), ("report.md", report.table() + shown)):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _change(measure: str, before: Evaluation, after: Evaluation) -> Change:
    old, new = before.image_means(measure), after.image_means(measure)
    images = sorted(old.keys() & new.keys())
    pairs = np.array([[old[image], new[image]] for image in images])
    groups = [dataset for dataset, _ in images]
    difference = paired_bootstrap(pairs[:, 0], pairs[:, 1], groups)
    means = np.mean([pairs[np.array(groups) == group].mean(0) for group in sorted(set(groups))], axis=0)
    largest = float(np.abs(pairs[:, 1] - pairs[:, 0]).max())
    return Change(measure, float(means[0]), float(means[1]), difference, largest)


def _means_by_set(evaluation: Evaluation, measure: str) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for (dataset, _), value in evaluation.image_means(measure).items():
        scores.setdefault(dataset, []).append(value)
    return {dataset: float(np.mean(values)) for dataset, values in scores.items()}


def _label(measure: str) -> str:
    if measure == LABEL_FREE:
        return f"{measure} (less is better)"
    return measure if measure.startswith("boundary") else f"{measure}, mIoU"


def _hash(values: Any) -> str:
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _environment() -> dict[str, str | None]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "git": _git_state(),
        **{package: version(package) for package in _PACKAGES},
    }


def _git_state() -> str | None:
    """Commit of this code, with "-dirty" for uncommitted changes; None where it was installed without its history."""
    project = Path(__file__).parents[4]
    if not (project / ".git").exists():
        return None
    command = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
