"""The product without a window: batches of files, tables, pictures; what the command line calls."""
