"""Building blocks that at least two services use unchanged. No business noun belongs here."""
