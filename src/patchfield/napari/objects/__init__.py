"""Objects in the window: found, measured, shown, written."""
