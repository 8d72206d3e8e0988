"""What the services agree on: .proto files and their stubs, names on the message bus, limits and rules of an entry, golden wire samples."""
