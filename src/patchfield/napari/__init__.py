"""The napari plugin: paint a few strokes, watch the segmentation follow.

`controller` holds the state machine and works on any ``ViewerModel``, with or without a display; `jobs` is the
only place that knows threads; `layers` finds and places the layers; `_qt` are the widgets.
"""
