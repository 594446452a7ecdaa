"""Post-training of backbones on unlabelled micrographs, and its honest measurement.

Imports patchfield; patchfield imports nothing from here, the app starts ``python -m training.neco`` as a process.
"""

import sys
from importlib.util import find_spec

NEEDED = ("lightning_fabric", "jsonargparse", "yaml", "torchvision", "tensorboard", "matplotlib")

if missing := [name for name in NEEDED if find_spec(name) is None]:
    sentence = f"training needs {', '.join(missing)}: install them with `pip install 'napari-patchfield[training]'`."
    # While `python -m training.neco` looks for its module, this is its first argument: a user reads a sentence.
    if sys.argv[:1] == ["-m"]:
        raise SystemExit(sentence)
    raise ImportError(sentence)
