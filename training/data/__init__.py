"""Images of a run: found, kept, cut into windows and crops, changed, shared among processes."""
