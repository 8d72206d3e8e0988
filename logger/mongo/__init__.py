"""The log store in MongoDB, database `logs`, collection `logs`, as the Go original lays its documents out, plus fields beside them."""
