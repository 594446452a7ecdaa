"""SelfPatch: every patch agrees with the most similar of its neighbours, and the image with its crops."""
