"""The napari plugin: paint a few strokes, watch the segmentation follow.

`controller` owns everything that happens and works on any ``ViewerModel``, with or without a display; `jobs` is the
only place that knows threads. `session` is what is known (no napari, no Qt), `layers` the only room that touches
napari's layers, `segment` and `explore` and `adapt` are the features, `_qt` the widgets. `plugin` is what the manifest
points at.
"""
