"""What can be seen in the features without labels."""
