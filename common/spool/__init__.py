"""Records kept in local files while those who should take them are away: durable when `append` returns, in order, bounded."""
