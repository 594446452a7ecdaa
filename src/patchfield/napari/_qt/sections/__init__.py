"""The sections of the panel: each shows what the controller says and calls its verbs."""
