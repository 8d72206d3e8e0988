"""What the worker calls: the log store by gRPC, the dead letters by AMQP."""
