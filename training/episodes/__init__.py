"""Training the embedded network on episodes: a few strokes on one image, a linear classifier, the rest to predict."""
