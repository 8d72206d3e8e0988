"""RabbitMQ: topology as values, and a publisher that answers only when the broker has taken the message for good."""
