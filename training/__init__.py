"""Post-training of backbones on unlabelled micrographs, and training of small ones on labels.

Imports patchfield; patchfield imports nothing from here, the app starts ``python -m training.neco`` as a process.
"""

import sys

from patchfield.runs.extra import INSTALL, missing

if absent := missing():
    sentence = f"training needs {', '.join(absent)}: install with `{INSTALL}`."
    # While `python -m training.neco` looks for its module, this is its first argument: a user reads a sentence.
    if sys.argv[:1] == ["-m"]:
        raise SystemExit(sentence)
    raise ImportError(sentence)
