"""What the services agree on: .proto files and their stubs, names on the message bus, golden wire samples. No logic."""
