"""What a run learns: the only thing that one kind of training has to say about itself.

The engine owns everything else: the command line, devices and processes, the loop, randomness, the optimiser and its
schedules, checkpoints, logs, signals, and the export of what was trained.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import Dataset

from training.engine.settings import RunSettings

if TYPE_CHECKING:
    from training.engine.launch import RunContext

SettingsT = TypeVar("SettingsT", bound=RunSettings)
BatchT = TypeVar("BatchT", bound=tuple[Tensor, ...])


class Stateful(Protocol):
    """A part of an objective that a checkpoint keeps: a module, a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers, strings, and lists and dictionaries of them."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Take up what :meth:`state_dict` gave."""
        ...


def _no_measures() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True)
class StepResult:
    """What an objective says about a batch.

    Attributes
    ----------
    loss : Tensor ()
        With a gradient, over the samples of this process.
    averaged : mapping of str to Tensor ()
        Numbers of every step, of which the log gets the mean since its last line. One called `loss` takes the place of
        the step's own loss there.
    sampled : callable
        Computes further numbers, asked for only when a line of the log is due.
    """

    loss: Tensor
    averaged: Mapping[str, Tensor] = field(default_factory=dict)
    sampled: Callable[[], Mapping[str, float]] = _no_measures


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are optimised alike.

    Attributes
    ----------
    name : str
        Of the part that they belong to, for the log.
    parameters : sequence of Parameter
    learning_rate : float
        After the warm-up; it falls to 0 along a cosine.
    weight_decay : (float, float)
        At the first and at the last step, along a cosine.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    learning_rate: float
    weight_decay: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Optimisation:
    """How the parameters of an objective move (AdamW).

    Attributes
    ----------
    groups : sequence of ParameterGroup
    warmup : float
        Share of the steps during which the learning rates rise from 0.
    clip : float
        Largest norm of the gradient of `clipped`; 0 does not limit it.
    clipped : sequence of Parameter, optional
        By default those of all groups.
    """

    groups: Sequence[ParameterGroup]
    warmup: float = 0.0
    clip: float = 0.0
    clipped: Sequence[nn.Parameter] | None = None


@dataclass(frozen=True)
class Health:
    """What a monitor found.

    Attributes
    ----------
    measures : mapping of str to float
        For the log.
    has_collapsed : bool
        Training has destroyed what it started from: the run goes back to the last checkpoint and ends.
    """

    measures: Mapping[str, float]
    has_collapsed: bool = False


class Monitor(Protocol):
    """Measures a network now and then while it trains."""

    every: int
    """Steps between two measurements."""
    initial: Health
    """Before the first step."""

    def measure(self) -> Health:
        """Measure the network as it is."""
        ...


class ExportedNetwork(Protocol):
    """A network that a run leaves behind.

    Attributes
    ----------
    file : str
        Its name in the output folder.
    suffix : str
        What is added to the run's name in the list of backbones.
    summary : str
        A phrase for that list: what it was trained on, and from what.
    """

    @property
    def file(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    @property
    def summary(self) -> str: ...

    def tensors(self) -> Mapping[str, Tensor]:
        """The weights."""
        ...

    def write(self, path: Path, details: Mapping[str, Any]) -> None:
        """Write a file that :func:`patchfield.load_backbone` reads."""
        ...


class Objective(ABC, Generic[SettingsT, BatchT]):
    """What a run learns.

    Parameters
    ----------
    settings : RunSettings
    context : RunContext
        Devices, processes and folder of the run.

    Attributes
    ----------
    Settings : type
        The dataclass of the objective's settings, whose docstring explains the options of the command line.
    presets : mapping of str to mapping
        Defaults by the name of a preset, nested ones with dots; the first is the default. Empty: there are none.
    title : str
        What the progress bar is called.
    samples : str
        What a batch counts.
    rate_option : str
        The option that sets the learning rate, for advice.
    bfloat16_on_cpu : bool
        Whether precision auto computes in bfloat16 on CPUs that can.
    settings : RunSettings
        As they are run: an objective may fit them to the network.
    inputs : mapping of str to str
        Fingerprints of what the run learns from; a run is only resumed with the same.
    facts : mapping
        Further JSON-able values for the description of the run.
    init : str or None
        Name or file of the backbone that training starts from, whose licence is kept; None for random weights.

    Raises
    ------
    PatchfieldError
        When images, networks or settings cannot be used.
    """

    Settings: ClassVar[type[RunSettings]]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    title: ClassVar[str] = "training"
    samples: ClassVar[str] = "images"
    rate_option: ClassVar[str] = "learning_rate"
    bfloat16_on_cpu: ClassVar[bool] = False

    settings: SettingsT
    inputs: Mapping[str, str]
    facts: Mapping[str, Any]
    init: str | None = None

    @abstractmethod
    def __init__(self, settings: SettingsT, context: "RunContext") -> None: ...

    @abstractmethod
    def optimisation(self) -> Optimisation:
        """What is optimised, and how."""

    @abstractmethod
    def dataset(self, workers: int) -> Dataset[BatchT]:
        """Sample i of the run, for any i: everything about it follows from the seed and i alone.

        Parameters
        ----------
        workers : int
            Processes that each hold a copy.
        """

    @abstractmethod
    def forward(self, batch: BatchT, step: int, generator: torch.Generator) -> StepResult:
        """The loss of a batch.

        Parameters
        ----------
        batch : tuple of Tensor
            Samples of this process, stacked, on its device.
        step : int
            Counted from 0.
        generator : torch.Generator
            On the CPU; seeded alike in all processes, by the run's seed and the step. PyTorch's own generator is
            seeded by these and the number of the process.
        """

    @abstractmethod
    def parts(self) -> Mapping[str, Stateful]:
        """Everything that the next step depends on, by name; the optimiser is the engine's."""

    @abstractmethod
    def networks(self) -> Sequence[ExportedNetwork]:
        """What is exported; the first is the one to use as a rule."""

    def before_update(self, step: int) -> None:
        """Called after :meth:`forward` and before the optimiser moves: where a teacher follows."""

    def monitor(self) -> Monitor | None:
        """What watches the network; made by the first process alone."""
        return None

    def memory_advice(self) -> str:
        """What to do when memory is full, after "out of memory"."""
        return f" at {self.settings.batch} {self.samples} per step: lower --batch."

    @classmethod
    def evaluation(cls, settings: SettingsT) -> Callable[[Path, Console], None] | None:
        """What measures the first exported network when the run is done; None where nothing was asked for."""
        return None
