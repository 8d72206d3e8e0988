"""What may be asked of the log store: filters, the language for them, and questions as values. No I/O."""
