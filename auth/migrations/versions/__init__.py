"""One file for each revision; once released, a revision never changes."""
