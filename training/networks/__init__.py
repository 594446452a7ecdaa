"""The networks that are trained: where they start from, student and teacher, heads."""
