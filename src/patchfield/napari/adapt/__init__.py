"""Adapting a backbone to the user's own images, in a process of its own."""
