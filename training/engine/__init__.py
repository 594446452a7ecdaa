"""What every run has: one loop, one parser, one checkpoint, one export. It knows no objective."""
