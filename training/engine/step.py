"""One step: randomness, schedules, loss, update."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, cast

import numpy as np
import torch
from torch import Tensor
from torch.profiler import record_function

from training.engine.launch import RunContext
from training.engine.objective import BatchT, Objective, Stateful, StepResult
from training.engine.schedules import cosine
from training.errors import TrainingError

OPTIMISER = "optimiser"
"""What its state is called in a checkpoint, beside the parts of the objective."""


@dataclass(frozen=True)
class StepOutcome:
    """What a step did.

    Attributes
    ----------
    loss : Tensor ()
        Mean over all processes, without gradient.
    result : StepResult
        Of this process.
    gradient_norm : Tensor () or None
        Before it was limited; None when it is not.
    """

    loss: Tensor
    result: StepResult
    gradient_norm: Tensor | None


class Stepper(Generic[BatchT]):
    """An objective and its optimiser.

    Parameters
    ----------
    objective : Objective
    context : RunContext
    """

    def __init__(self, objective: Objective[Any, BatchT], context: RunContext) -> None:
        self.objective = objective
        self._fabric = context.fabric
        self._sharing = context.sharing
        self._optimisation = objective.optimisation()
        groups = self._optimisation.groups
        optimiser = torch.optim.AdamW([{"params": list(group.parameters)} for group in groups], lr=0.0)
        self.optimiser = cast("torch.optim.Optimizer", context.fabric.setup_optimizers(optimiser))
        every = [parameter for group in groups for parameter in group.parameters]
        self._parameters = every
        self._clipped = every if self._optimisation.clipped is None else list(self._optimisation.clipped)

    def step(self, batch: BatchT, step: int) -> StepOutcome:
        """Learn from one batch; `step` counts from 0 and decides all random numbers.

        Raises
        ------
        TrainingError
            When the loss is not finite, or memory is full.
        """
        objective = self.objective
        self._follow_schedules(step)
        seed = objective.settings.seed
        generator = torch.Generator().manual_seed(step_seed(seed, step))
        torch.manual_seed(step_seed(seed, step, self._sharing.rank + 1))
        with explained_memory_errors(objective.memory_advice):
            result = objective.forward(batch, step, generator)
            loss = self._sharing.mean(result.loss.detach())
            if not loss.isfinite():
                raise TrainingError(f"the loss is no longer a number at step {step}: {self._calmer()}")
            objective.before_update(step)
            norm = self._update(result.loss)
        return StepOutcome(loss, result, norm)

    def rates(self) -> dict[str, float]:
        """The learning rates of the latest step, by part."""
        groups = zip(self._optimisation.groups, self.optimiser.param_groups, strict=True)
        return {f"learning_rate/{group.name}": state["lr"] for group, state in groups}

    @property
    def moment_bytes(self) -> int:
        """What the optimiser adds to a checkpoint once it has moved: two moments of every parameter."""
        return 2 * sum(parameter.nbytes for parameter in self._parameters)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on.

        Raises
        ------
        TrainingError
            When a parameter is not finite: nothing could be learned from there on.
        """
        if not all(bool(parameter.isfinite().all()) for parameter in self._parameters):
            raise TrainingError(f"the weights are no longer numbers: {self._calmer()}")
        return {name: part.state_dict() for name, part in self._stateful().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave.

        Raises
        ------
        TrainingError
            When it is the state of something else.
        """
        try:
            for name, part in self._stateful().items():
                part.load_state_dict(state[name])
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise TrainingError(
                "the checkpoint does not hold the state of this run: remove it and start the run again."
            ) from error

    def _stateful(self) -> dict[str, Stateful]:
        return {**self.objective.parts(), OPTIMISER: self.optimiser}

    def _update(self, loss: Tensor) -> Tensor | None:
        with record_function("backward"):
            self._fabric.backward(loss)
        with record_function("update"):
            norm = None
            if self._optimisation.clip:
                norm = torch.nn.utils.clip_grad_norm_(self._clipped, self._optimisation.clip)
            self.optimiser.step()
            self.optimiser.zero_grad()
        return norm

    def _follow_schedules(self, step: int) -> None:
        steps = self.objective.settings.steps
        warmup = round(self._optimisation.warmup * steps)
        for group, state in zip(self._optimisation.groups, self.optimiser.param_groups, strict=True):
            state["lr"] = cosine(group.learning_rate, 0.0, step, steps, warmup)
            state["weight_decay"] = cosine(*group.weight_decay, step, steps)

    def _calmer(self) -> str:
        return f"start again with a lower {self.objective.rate_option}, or with precision fp32."


def step_seed(seed: int, *path: int) -> int:
    """A seed below 2^63 that follows from a run's seed and some numbers, such as that of a step."""
    sequence = np.random.SeedSequence([seed, *path])
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def explained_memory_errors(advice: Callable[[], str]) -> Iterator[None]:
    """Turn an allocation that fails into one sentence that says what to do, which `advice` gives."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        full = isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
        if not full:
            raise
        raise TrainingError(f"out of memory{advice()}") from error
