"""/ping, /livez, /readyz (alias /healthz) of every service.

Liveness never touches a dependency. Readiness looks at each: a critical one that is down makes the service unready (503),
another one only degraded (200). Reasons are words, never addresses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from flask import Blueprint, Response, jsonify

from common.errors import AppError
from common.logs import VERSION
from common.web.access import Access, access

CHECK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """`probe` returns when the dependency is usable and raises when it is not."""

    probe: Callable[[], object]
    critical: bool = True


@dataclass(frozen=True, slots=True)
class _Finding:
    up: bool
    critical: bool
    latency_ms: float
    error: str | None

    def as_json(self) -> dict[str, object]:
        body: dict[str, object] = {
            "status": "up" if self.up else "down",
            "critical": self.critical,
            "latency_ms": self.latency_ms,
        }
        return body if self.error is None else body | {"error": self.error}


def _look(check: Check) -> _Finding:
    started = time.monotonic()
    error: str | None = None
    try:
        check.probe()
    except AppError as problem:
        error = problem.message
    except Exception as problem:  # noqa: BLE001 - whatever a driver raises means "down"; its text may hold an address
        error = type(problem).__name__
    return _Finding(error is None, check.critical, round((time.monotonic() - started) * 1000, 1), error)


def examine(checks: Mapping[str, Check]) -> dict[str, _Finding]:
    """All checks at once, each given up after two seconds."""
    if not checks:
        return {}
    pool = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="readiness")
    try:
        futures = {name: pool.submit(_look, check) for name, check in checks.items()}
        end = time.monotonic() + CHECK_SECONDS
        findings = {}
        for name, future in futures.items():
            try:
                findings[name] = future.result(timeout=max(0.0, end - time.monotonic()))
            except FutureTimeoutError:
                findings[name] = _Finding(
                    up=False, critical=checks[name].critical, latency_ms=CHECK_SECONDS * 1000, error="timeout"
                )
        return findings
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def health_blueprint(service: str, checks: Mapping[str, Check]) -> Blueprint:
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/ping")
    @access(Access.PROBE)
    def ping() -> Response:
        return Response("OK", content_type="text/plain; charset=utf-8")

    @blueprint.get("/livez")
    @access(Access.PROBE)
    def livez() -> Response:
        return jsonify({"status": "alive", "service": service, "version": VERSION})

    @blueprint.get("/readyz")
    @blueprint.get("/healthz")
    @access(Access.PROBE)
    def readyz() -> Response:
        findings = examine(checks)
        down = [finding for finding in findings.values() if not finding.up]
        usable = not any(finding.critical for finding in down)
        response = jsonify(
            {
                "status": "ready" if usable else "unready",
                "degraded": bool(down),
                "service": service,
                "version": VERSION,
                "checks": {name: finding.as_json() for name, finding in findings.items()},
            }
        )
        response.status_code = 200 if usable else 503
        return response

    return blueprint
