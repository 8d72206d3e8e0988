"""HTTP, the same way in every service: application factory, errors, strict JSON reading, health, outbound calls."""
