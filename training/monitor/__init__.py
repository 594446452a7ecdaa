"""What to watch while training without labels."""
