"""What the log store needs done in the background, and what it is made of; the keeper does it."""
