"""Exit with 0 if Qt can open a window with OpenGL on this display: what the tests of the panel need.

Without a display, or without Qt's system libraries, say what to do and exit with 1.
"""

import os
import sys

ADVICE = "No screen with OpenGL: tests of windows are skipped. On Debian and Ubuntu, `make system-packages` brings one."

if sys.platform == "linux" and not os.environ.get("DISPLAY"):
    sys.exit(ADVICE)
try:
    from qtpy.QtGui import QOpenGLContext
    from qtpy.QtWidgets import QApplication
except ImportError as error:
    sys.exit(f"{ADVICE} ({error})")
application = QApplication(sys.argv)
sys.exit(None if QOpenGLContext().create() else ADVICE)
