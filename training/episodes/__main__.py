"""``python -m training.episodes --labels DIR --output DIR``: a small backbone of your own, trained on labelled images.

The result is listed by ``patchfield models`` and in the app. See docs/micro.md.
"""

import sys

from training.engine.cli import main
from training.episodes.objective import StrokeEpisodes

if __name__ == "__main__":
    sys.exit(main(StrokeEpisodes))
