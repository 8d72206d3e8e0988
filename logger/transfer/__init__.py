"""Many entries at a time, out of the log store and into it."""
