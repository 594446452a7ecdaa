"""What a vision transformer attends to in many files."""

import hashlib
from functools import partial

import numpy as np

from patchfield.backbones import AttentionMaps, ViT
from patchfield.backbones.transformer import Facet
from patchfield.batch.failures import Failures
from patchfield.batch.job import Job, Outcome, Results, Watch
from patchfield.batch.results import ResultFolder
from patchfield.errors import BackboneError
from patchfield.images import write_map
from patchfield.pipeline import Extractor


def show_attention(
    job: Job, extractor: Extractor, watch: Watch, facet: Facet = "attention", block: int = -1, head: int = 0
) -> Results:
    """Write NAME_attention for every file: the map of one head, counted from 1, or the mean of all when it is 0.

    Raises
    ------
    OutputError
        When results would replace what they must not.
    BackboneError
        When the backbone is no vision transformer, or has no such block or head.
    """
    transformer, recipe = extractor.backbones[0], extractor.recipes[0]
    if not isinstance(transformer, ViT):
        raise BackboneError(f"'{transformer.name}' has no attention: choose a vision transformer (patchfield models).")
    maps = AttentionMaps(transformer, block, facet)
    heads = maps.levels[0].channels
    if not 0 <= head <= heads:
        raise BackboneError(f"'{transformer.name}' has no head {head}: give 1 to {heads}, or 0 for the mean of all.")
    weights = np.full((heads, 1), 1 / heads) if head == 0 else np.eye(heads)[:, [head - 1]]
    looking = Extractor.from_backbone(maps, recipe.sampling, recipe.interpolation, recipe.image)
    folder = ResultFolder(job.output, job.images, job.overwrite)
    results = Results(Failures(job.output), names=folder.names(job.images, f"_attention.{job.suffix}"))
    features = hashlib.sha256(repr((looking.recipes, head)).encode()).hexdigest()[:16]
    for file in job.images:
        with results.failures.caught(file):
            image = job.open(file)
            if results.is_done_with_another(image):
                results.note(file, Outcome.PART)
                continue
            path = job.output / f"{results.names[file]}_attention.{job.suffix}"
            provenance = folder.provenance(file, {"features": features, **job.made_with})
            if folder.is_done(file, [path], provenance):
                results.note(file, Outcome.EARLIER)
                continue
            fields = [looking.field(image, index, partial(watch, file)) for index in job.planes(image)]
            axes, lengths = job.axes_of_result(image)
            planes = np.stack([field.project(weights.astype(np.float32))[0] for field in fields])
            values = planes.reshape(*lengths, *planes.shape[1:])
            write_map(path, values, image.calibration, axes, provenance=provenance)
            results.note(file, Outcome.FINISHED)
    return results
