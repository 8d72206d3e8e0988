"""Remote procedure calls: gRPC server and client, and the codecs of the TCP port (JSON-RPC and gob) as pure functions on bytes."""
