"""What the features of many files tell apart, as colours."""

import hashlib
from pathlib import Path

from patchfield.batch.failures import Failures
from patchfield.batch.job import Job, Outcome, Results, Watch
from patchfield.batch.results import ResultFolder
from patchfield.batch.together import Together
from patchfield.explore import PrincipalComponents
from patchfield.images import Micrograph, PlaneIndex, plane_indices, write_rgb
from patchfield.pipeline import Extractor


def show_components(job: Job, extractor: Extractor, watch: Watch, separately: bool = False) -> Results:
    """Write the first three principal components of every plane's features as red, green and blue.

    Parameters
    ----------
    job : Job
    extractor : Extractor
    watch : callable
    separately : bool
        Give every plane colours of its own; by default one colour means the same on all planes of all files.

    Raises
    ------
    OutputError
        When results would replace what they must not.
    FieldError
        When no file can be used.
    """
    folder = ResultFolder(job.output, job.images, job.overwrite)
    results = Results(Failures(job.output), names=folder.names(job.images, f"_pca.{job.suffix}"))
    together = Together(job, extractor, watch, results)
    features = hashlib.sha256(repr(extractor.recipes).encode()).hexdigest()[:16]
    made_with = {"features": features, "axes": job.axes or ""} | ({} if separately else {"with": together.identity})
    missing: dict[Path, dict[PlaneIndex, Path]] = {}
    for file, image in together.opened.items():
        with results.failures.caught(file):
            provenance = folder.provenance(file, made_with)
            paths = _paths(job, image, results.names[file])
            missing[file] = {i: path for i, path in paths.items() if not folder.is_done(file, [path], provenance)}
            if not missing[file]:
                results.note(file, Outcome.EARLIER)
    todo = [file for file, paths in missing.items() if paths]
    components = PrincipalComponents.from_features(together.sampled()) if todo and not separately else None
    for file in todo:
        with results.failures.caught(file):
            if file not in together.opened:
                continue
            for index, path in missing[file].items():
                field = together.field(file, index)
                colours = (components or PrincipalComponents.fit(field)).rgb(field)
                provenance = folder.provenance(file, made_with)
                write_rgb(path, colours, together.opened[file].calibration, provenance=provenance)
            results.note(file, Outcome.FINISHED)
    return results


def _paths(job: Job, image: Micrograph, name: str) -> dict[PlaneIndex, Path]:
    single = len(plane_indices(image)) == 1
    return {
        index: job.output / f"{name}{'' if single else '_plane' + '-'.join(map(str, index))}_pca.{job.suffix}"
        for index in job.planes(image)
    }
