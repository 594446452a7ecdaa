"""``python -m training.neco --images DIR --init NAME|FILE --output DIR``; ``--preset paper`` runs it as published.

The result is listed by ``patchfield models`` and in the app. See docs/training.md.
"""

import sys

from training.engine.cli import main
from training.neco.objective import NeCo

if __name__ == "__main__":
    sys.exit(main(NeCo))
