"""Exit with 0 if Qt can open a window with OpenGL on this display: what the tests of the panel need.

Without a display, or without Qt's system libraries, say what to do and exit with 1.
"""

import os
import sys

ADVICE = "No screen with OpenGL: tests of windows are skipped. On Debian and Ubuntu, `make system-packages` brings one."


def problem() -> str | None:
    """What keeps windows from opening, with what to do about it; None where they open."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        return ADVICE
    try:
        from qtpy.QtGui import QOpenGLContext
        from qtpy.QtWidgets import QApplication
    except ImportError as error:
        return f"{ADVICE} ({error})"
    application = QApplication(sys.argv)
    opened = QOpenGLContext().create()
    del application
    return None if opened else ADVICE


if __name__ == "__main__":
    sys.exit(problem())
