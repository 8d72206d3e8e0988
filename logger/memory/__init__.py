"""The log store in memory: for tests and for learning; gone with the process."""
