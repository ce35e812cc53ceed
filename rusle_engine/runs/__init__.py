"""A run from one configuration file: configuration, check, run, provenance, sample regions."""
