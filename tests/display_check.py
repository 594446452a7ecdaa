"""Exit with 0 if Qt can open a window with OpenGL on this display: what the tests of the panel need."""

import sys

from PyQt6.QtGui import QOpenGLContext
from PyQt6.QtWidgets import QApplication

application = QApplication(sys.argv)
sys.exit(0 if QOpenGLContext().create() else 1)
