"""The contract of a training run: its folder, its process, its name. Shared by `training` and by whoever watches it.

Nothing in here imports PyTorch or Qt, so that reading how far a run is costs nothing.
"""
