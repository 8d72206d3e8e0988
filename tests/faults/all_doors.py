"""Every way into the log store that a client has."""

from __future__ import annotations

from tests.faults import amqp_doors, grpc_doors, http_doors, rpc_doors

DOORS = (
    *http_doors.DOORS,
    *grpc_doors.DOORS,
    *rpc_doors.DOORS,
    *amqp_doors.DOORS,
)
