"""Rasters, vectors and tables in and out; the only room that knows formats and nodata codes."""
