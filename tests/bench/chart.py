"""The chart of docs/performance.md: how far each row comes, its bar, and the Go original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tests.bench.bars import PEER, PEER_ABSOLUTE, PEER_BARE

_WIDTH, _LEFT, _RIGHT, _TOP, _STEP, _BAR = 860, 210, 120, 64, 34, 14
# Grey that reads on white and on black alike; the colours too have enough contrast on both.
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #57606a } .head { font-weight: 600 } .small { font-size: 11px }
.met { fill: #2f81f7 } .short { fill: #d1731b } .axis { stroke: #8c959f; stroke-opacity: .5 }
.must { stroke: #57606a; stroke-width: 2 } .peer { fill: #fff; fill-opacity: .8; stroke: #8250df; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #b1bac4 } .must { stroke: #e6edf3 } .peer { stroke: #bc8cff } }
"""
_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class Bar:
    """Everything as a part of the bar's aim, so that rows with different units share one axis."""

    label: str
    text: str
    reached: float
    must: float
    met: bool
    peer: float | None


def bars(rows: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """The rows with a bar on speed; more is better in all of them."""
    return [_bar(row) for row in rows if row["must"] is not None and not row["lower_is_better"]]


def _bar(row: Mapping[str, Any]) -> Bar:
    value = row["ratio"] if row["ratio"] is not None else row["value"]
    text = f"{row['ratio']:.2f} {row['yardstick']}" if row["ratio"] is not None else f"{row['value']:,.0f}/s"
    name = row["name"]
    peer = PEER_ABSOLUTE.get(name)
    if row["yardstick"] == "F" and row["concurrency"] == _CONCURRENCY and name in PEER:
        peer = PEER[name] / PEER_BARE
    label = name if row["concurrency"] == _CONCURRENCY else f"{name}, c={row['concurrency']}"
    aim = row["aim"]
    return Bar(label, text, value / aim, row["must"] / aim, bool(row["met"]), peer / aim if peer is not None else None)


def draw(result: Mapping[str, Any]) -> str:
    """An SVG that reads on a light and on a dark page."""
    shown = bars(result["rows"])
    longest = max([1.0, *(bar.reached for bar in shown), *(bar.peer or 0 for bar in shown)])
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    height = _TOP + _STEP * len(shown) + 28
    machine = result["machine"]
    where = f"{machine['cores']} cores, {machine['cpu']}, {result['date'][:10]}"
    pieces = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
            f' aria-label="Speed of every door against its bar">'
        ),
        f"<style>{_STYLE}</style>",
        _text(8, 22, "Speed as a part of the aim", "head"),
        _text(8, 42, f"{where}. Blue: bar met; orange: missed; short line: must; circle: the Go original", "small"),
        *(_drawn(bar, _TOP + _STEP * number, scale) for number, bar in enumerate(shown)),
        f'<line class="axis" x1="{_LEFT + scale:.1f}" x2="{_LEFT + scale:.1f}" y1="{_TOP - 8}" y2="{height - 24}"/>',
        _text(_LEFT + scale - 9, height - 8, "aim", "small"),
        "</svg>",
    ]
    return "\n".join(pieces) + "\n"


def _drawn(bar: Bar, top: int, scale: float) -> str:
    end, must = bar.reached * scale, _LEFT + bar.must * scale
    pieces = [
        _text(8, top + 12, bar.label),
        f'<rect class="{"met" if bar.met else "short"}" x="{_LEFT}" y="{top}" width="{end:.1f}" height="{_BAR}" rx="2"/>',
        f'<line class="must" x1="{must:.1f}" x2="{must:.1f}" y1="{top - 5}" y2="{top + _BAR + 5}"/>',
        _text(_WIDTH - _RIGHT + 12, top + 12, bar.text),
    ]
    if bar.peer is not None:
        x = _LEFT + bar.peer * scale
        pieces.append(f'<circle class="peer" cx="{x:.1f}" cy="{top + _BAR / 2}" r="6"/>')
    return "".join(pieces)


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y}"{f" class={chr(34)}{style}{chr(34)}" if style else ""}>{escape(text)}</text>'
