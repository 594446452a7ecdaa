"""What the probe is worth, and where to look: agreement, strokes that disagree, importance, unsure places."""
