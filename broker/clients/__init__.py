"""One class for each remote door, each behind a port of broker.ports."""
