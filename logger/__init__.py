"""The log store: entries arrive over HTTP, gRPC and TCP (JSON-RPC and gob) and rest in MongoDB."""
