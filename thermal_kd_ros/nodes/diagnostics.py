"""The node's state as a diagnostic_msgs/DiagnosticArray, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from .statistics import Snapshot


@dataclass(frozen=True)
class Report:
    """What the node says of itself, or of one of its cameras, besides its counters."""

    state: str
    """Lifecycle state: unconfigured, inactive, active or finalized."""
    topic: str
    facts: Mapping[str, str] = field(default_factory=dict)
    """Backend, models, input mode and the like."""
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def diagnostics_message(stamp: Time, statuses: Sequence[DiagnosticStatus]) -> DiagnosticArray:
    """The statuses of all cameras of a node."""
    array = DiagnosticArray(status=list(statuses))
    array.header.stamp = stamp
    return array


def diagnostic_status(name: str, report: Report, snapshot: Snapshot) -> DiagnosticStatus:
    """One camera's status: ERROR or WARN with what is wrong and what to do, else OK with the rates."""
    status = DiagnosticStatus(name=name, hardware_id=report.topic)
    if report.errors:
        status.level, status.message = DiagnosticStatus.ERROR, "; ".join((*report.errors, *report.warnings))
    elif report.warnings:
        status.level, status.message = DiagnosticStatus.WARN, "; ".join(report.warnings)
    elif report.state == "active":
        status.level = DiagnosticStatus.OK
        status.message = f"{snapshot.rate_in_hz:.1f} frames/s in, {snapshot.rate_out_hz:.1f} results/s out"
    else:
        status.level, status.message = DiagnosticStatus.OK, report.state
    values = {"state": report.state, **report.facts, **_counters(snapshot)}
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    return status


def _counters(snapshot: Snapshot) -> dict[str, str]:
    values = {
        "frames received": str(snapshot.received),
        "results published": str(snapshot.published),
        "rate in (Hz)": f"{snapshot.rate_in_hz:.2f}",
        "rate out (Hz)": f"{snapshot.rate_out_hz:.2f}",
    }
    values |= {f"dropped {reason}": str(count) for reason, count in snapshot.dropped.items()}
    for stage, (p50, p95) in snapshot.latency_ms.items():
        values[f"{stage} p50 (ms)"] = f"{p50:.2f}"
        values[f"{stage} p95 (ms)"] = f"{p95:.2f}"
    return values


def values_from_message(message: DiagnosticArray, name_contains: str = "") -> dict[str, str] | None:
    """The key-value pairs of the first status whose name contains the text, with its ``level`` and ``message``."""
    for status in message.status:
        if name_contains in status.name:
            pairs = {pair.key: pair.value for pair in status.values}
            # The level is one byte, which rclpy gives as a bytes object.
            return {**pairs, "level": str(status.level[0]), "message": status.message}
    return None
