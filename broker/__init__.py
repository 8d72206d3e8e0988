"""The gateway: the one door for clients. It speaks HTTP to them and HTTP, JSON-RPC, gRPC and AMQP to what is behind it."""
