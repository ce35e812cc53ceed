"""From elevation to slope, flow and watersheds."""
