"""Differentiable sorting: networks of comparators, and soft permutations through them."""
