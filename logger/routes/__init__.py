"""The HTTP doors of the log store."""
