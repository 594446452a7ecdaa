"""How hard the comparators sort, fixed or fitted to the images."""

import torch

from training.neco.settings import LossSettings


class SteepnessSchedule:
    """Steepness of student and teacher; adaptive ones follow the spread of the similarities, then stay.

    On images of one material the similarities to the references lie so close together that the published steepness
    of 100 makes nearly uniform targets. What matters is steepness times spread: 15 gives targets with an entropy of
    about 2.9 of the 3.89 nats of 49 references, as photographs do at 100.

    Parameters
    ----------
    settings : LossSettings
    """

    def __init__(self, settings: LossSettings) -> None:
        self._settings = settings
        self._sum = 0.0
        self._seen = 0

    @property
    def spread(self) -> float:
        """Mean over the batches seen so far of the median spread of a row."""
        return self._sum / max(self._seen, 1)

    @property
    def student(self) -> float:
        return self._value(self._settings.student_steepness)

    @property
    def teacher(self) -> float:
        return self._value(self._settings.teacher_steepness)

    @property
    def settled(self) -> bool:
        return self._seen >= self._settings.settle

    def observe(self, spreads: torch.Tensor) -> None:
        """Take the median of a batch's spreads into account, until enough batches have been seen."""
        if not self.settled:
            self._sum += spreads.median().item()
            self._seen += 1

    def state_dict(self) -> dict[str, float]:
        return {"sum": self._sum, "seen": self._seen}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._sum, self._seen = float(state["sum"]), int(state["seen"])

    def _value(self, setting: str | float) -> float:
        return float(setting) if setting != "adaptive" else self._settings.softness / max(self.spread, 1e-6)


def spreads(rows: torch.Tensor) -> torch.Tensor:
    """Standard deviation of the similarities of each row (rows, n)."""
    return rows.detach().float().std(dim=1)
