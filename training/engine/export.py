"""The trained networks as backbones that the app can load."""

from datetime import UTC, datetime
from pathlib import Path

from patchfield.backbones import export_checkpoint, find_weight, load_backbone, weights_folder
from training.errors import TrainingError
from training.neco.settings import RunSettings
from training.networks.student_teacher import Network

TEACHER, STUDENT = "teacher.safetensors", "student.safetensors"


def check_name(name: str) -> None:
    """Refuse names that a published backbone has, or that are no file names.

    Raises
    ------
    TrainingError
    """
    if find_weight(name) is not None:
        raise TrainingError(f"'{name}' is the name of a published backbone: choose another --name for yours.")
    if not name or set(name) & set('/\\:*?"<>|') or name.startswith("."):
        raise TrainingError(f"'{name}' cannot be the name of a file: choose another --name.")


def export(settings: RunSettings, student: Network, teacher: Network, step: int) -> list[Path]:
    """Write student and teacher into the output folder and into the folder of weights that the app lists.

    The teacher, the better of the two as a rule, is listed under the run's name, the student as ``NAME-student``.

    Returns
    -------
    list of Path
        Teacher and student in the output folder.
    """
    written = []
    for network, file, role in ((teacher, TEACHER, ""), (student, STUDENT, "-student")):
        details = {
            "summary": f"Post-trained on your images from {settings.init} ({step} steps, "
            f"{datetime.now(UTC):%Y-%m-%d}){', student' if role else ''}",
            "licence": f"as {Path(settings.init).name}",
            "init": settings.init,
            "steps": step,
            "settings": settings.fingerprint(),
        }
        state = network.backbone.vit.state_dict()
        path = Path(settings.output) / file
        for place in (path, weights_folder() / f"{settings.model_name}{role}.safetensors"):
            export_checkpoint(place, state, network.backbone.spec, details)
        load_backbone(path, device="cpu")
        written.append(path)
    return written
