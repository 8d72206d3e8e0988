"""Everything that starts the system. No service imports it."""
