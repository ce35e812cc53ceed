"""The rusle command: parses, calls runs, prints."""
