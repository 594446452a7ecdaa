"""Patch neighbour consistency (NeCo): student and teacher rank the same patches in the same order."""
