"""Many files at once: which are meant, labels -> probe -> segmentations, tables of areas and scores."""
