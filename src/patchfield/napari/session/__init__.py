"""What is known of a session: classes, status. Neither napari nor Qt is imported here."""
