"""``python -m training.selfpatch --images DIR --init NAME|FILE|random:small-16 --output DIR``; see docs/training.md."""

import sys

from training.engine.cli import main
from training.selfpatch.objective import SelfPatch

if __name__ == "__main__":
    sys.exit(main(SelfPatch))
