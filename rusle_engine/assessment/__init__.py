"""From classes to zones and the soil-conservation rate."""
