"""The images that are worked on, and the project that keeps what was done: no widget knows more than these."""
