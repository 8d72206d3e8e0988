"""Who a user is: the users' table, passwords and logins. Owns the PostgreSQL database `users`."""
