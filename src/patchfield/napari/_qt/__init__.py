"""The widgets: they show what the controller says and call its verbs, nothing more."""
