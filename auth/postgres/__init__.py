"""The users and the outbox in PostgreSQL."""
