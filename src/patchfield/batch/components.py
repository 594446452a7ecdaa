"""What the features of many files tell apart, as colours."""

import hashlib
from functools import partial

from patchfield.batch.failures import Failures
from patchfield.batch.job import Job, Outcome, Results, Watch
from patchfield.batch.results import ResultFolder
from patchfield.explore import PrincipalComponents
from patchfield.images import Micrograph, plane_indices, write_rgb
from patchfield.pipeline import Extractor


def show_components(job: Job, extractor: Extractor, watch: Watch) -> Results:
    """Write the first three principal components of every plane's features as red, green and blue.

    Raises
    ------
    OutputError
        When results would replace what they must not.
    """
    folder = ResultFolder(job.output, job.images, job.overwrite)
    results = Results(Failures(job.output), names=folder.names(job.images, f"_pca.{job.suffix}"))
    features = hashlib.sha256(repr(extractor.recipes).encode()).hexdigest()[:16]
    made_with = {"features": features, "axes": job.axes or ""}
    for file in job.images:
        with results.failures.caught(file):
            micrograph = job.open(file)
            if results.is_done_with_another(micrograph):
                results.note(file, Outcome.PART)
                continue
            done = _show(job, micrograph, results.names[file], folder, made_with, extractor, watch)
            results.note(file, Outcome.FINISHED if done else Outcome.EARLIER)
    return results


def _show(
    job: Job,
    micrograph: Micrograph,
    name: str,
    folder: ResultFolder,
    made_with: dict[str, str],
    extractor: Extractor,
    watch: Watch,
) -> bool:
    """The pictures of one file; False when all of them are there already."""
    file = micrograph.path
    indices = job.planes(micrograph)
    single = len(plane_indices(micrograph)) == 1
    paths = {
        index: job.output / f"{name}{'' if single else '_plane' + '-'.join(map(str, index))}_pca.{job.suffix}"
        for index in indices
    }
    provenance = folder.provenance(file, made_with)
    missing = [index for index, path in paths.items() if not folder.is_done(file, [path], provenance)]
    for index in missing:
        field = extractor.field(micrograph, index, partial(watch, file))
        colours = PrincipalComponents.fit(field).rgb(field)
        write_rgb(paths[index], colours, micrograph.calibration, provenance=provenance)
    return bool(missing)
