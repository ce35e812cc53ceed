"""Soil loss and its intensity classes."""
