"""From strokes to a segmentation: features, the live probe, one probe on many planes, where it is unsure."""
