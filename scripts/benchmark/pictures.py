"""A series as a picture: SVG, the same bytes for the same figures.

Written here rather than by a plotting library: what the usual ones write has fixed colours, and is unreadable on a page
that is dark; and a page is to be made from a saved run by whoever has only the tests' environment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from html import escape
from statistics import median

from scripts.benchmark.comparison import short
from scripts.benchmark.series import Point, Series

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 44, 64, 56
_LOG_SPAN = 40  # a scale is logarithmic where the greatest figure is so many times the least
_STEPS = 5
_LEAST_GAP = 46  # between two labels of an axis

_STYLE = """\
svg{font:13px system-ui,sans-serif}.back{fill:#fff}text{fill:#1f2328}.title{font-weight:600}.label{fill:#59636e}
.grid{stroke:#d1d9e0}.axis{stroke:#59636e}.a{color:#0969da}.b{color:#bc4c00}.c{color:#1a7f37}.d{color:#8250df}
@media(prefers-color-scheme:dark){.back{fill:#0d1117}text{fill:#f0f6fc}.label{fill:#9198a1}.grid{stroke:#3d444d}
.axis{stroke:#9198a1}.a{color:#58a6ff}.b{color:#f0883e}.c{color:#3fb950}.d{color:#bc8cff}}
.line{fill:none;stroke:currentColor;stroke-width:2}.spread{stroke:currentColor;opacity:.6}.dot{fill:currentColor}
"""
_DASHES = {"a": "", "b": "7 4", "c": "2 4", "d": "10 4 2 4"}
"""Lines differ for whoever does not tell their colours apart, too."""


def file_names(series: Sequence[Series]) -> list[str]:
    """Return a name for the picture of each: its row, and which of that row's it is."""
    seen: dict[str, int] = {}
    names = []
    for each in series:
        seen[each.number] = seen.get(each.number, 0) + 1
        names.append(f"{re.sub('[^a-z0-9]+', '-', each.number.lower())}-{seen[each.number]}.svg")
    return names


def picture(series: Series) -> str:
    """Return *series* as SVG: medians as lines, least to greatest as bars; on what a dark page shows darkly."""
    points = [point for line in series.lines.values() for point in line if point[1]]
    xs, ys = sorted({x for x, _ in points}), [figure for _, figures in points for figure in figures]
    if not xs:
        raise ValueError(f"{series.number}: {series.what} has no figures")
    along = _Scale(xs, _LEFT, _WIDTH - _RIGHT)
    up = _Scale(ys, _HEIGHT - _BOTTOM, _TOP, begins_at_zero=True)
    body = [
        *_axes(series, along, up, xs),
        *(
            part
            for line, kind in zip(series.lines.values(), _kinds(series), strict=True)
            for part in _line(line, kind, along, up)
        ),
        *_legend(series),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
        f' role="img"><title>{escape(series.what)}</title>\n<style>\n{_STYLE}</style>\n'
        f'<rect class="back" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


class _Scale:
    """From figures to places between *start* and *end*. On a logarithmic one a zero stands a decade before the rest."""

    def __init__(self, values: Iterable[float], start: float, end: float, *, begins_at_zero: bool = False) -> None:
        values = list(values)
        positive = [value for value in values if value > 0] or [1.0]
        self.is_log = max(positive) / min(positive) > _LOG_SPAN
        self._zero = min(positive) / 10
        low, high = (min(values), max(values))
        if self.is_log:
            low, high = max(low, self._zero), max(positive)
            if begins_at_zero:  # of a whole decade
                low, high = 10 ** math.floor(math.log10(low)), high * 1.2
        elif begins_at_zero:
            low, high = 0.0, max(high, 1e-9) * 1.08
        self._from = self._along(low)
        self._by = (end - start) / ((self._along(high) - self._from) or 1)
        self._start, self.low, self.high = start, low, high

    def _along(self, value: float) -> float:
        return math.log10(max(value, self._zero)) if self.is_log else value

    def __call__(self, value: float) -> float:
        return round(self._start + (self._along(value) - self._from) * self._by, 1)

    def ticks(self) -> list[float]:
        """Return round figures along it."""
        if self.is_log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [10.0**power for power in decades]
            return [tick for tick in found if self.low <= tick <= self.high]
        step = 10 ** math.floor(math.log10(self.high / _STEPS))
        step *= next(times for times in (1, 2, 5, 10) if self.high / (step * times) <= _STEPS)
        return [step * number for number in range(int(self.high / step) + 1)]


def _axes(series: Series, along: _Scale, up: _Scale, xs: Sequence[float]) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [_text(_LEFT, 24, series.what, "title")]
    for tick in up.ticks():
        y = up(tick)
        parts += [
            f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>',
            _text(_LEFT - 8, y + 4, short(tick), "label", "end"),
        ]
    last = -math.inf
    for x in xs:
        at = along(x)
        parts.append(f'<line class="axis" x1="{at}" x2="{at}" y1="{bottom}" y2="{bottom + 5}"/>')
        if at - last >= _LEAST_GAP:
            parts.append(_text(at, bottom + 20, short(x), "label", "middle"))
            last = at
    unit = f"{series.x}, {series.x_unit}" if series.x_unit else series.x
    parts += [
        f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>',
        _text((_LEFT + right) / 2, bottom + 42, unit + _how(along), "label", "middle"),
        f'<g transform="translate(18 {(_TOP + bottom) / 2}) rotate(-90)">'
        + _text(0, 0, series.unit + _how(up), "label", "middle")
        + "</g>",
    ]
    return parts


def _how(scale: _Scale) -> str:
    return " (logarithmic)" if scale.is_log else ""


def _line(line: Sequence[Point], kind: str, along: _Scale, up: _Scale) -> list[str]:
    points = [(along(x), up(median(figures)), up(min(figures)), up(max(figures))) for x, figures in line if figures]
    path = " ".join(f"{x},{y}" for x, y, _, _ in points)
    return [
        f'<g class="{kind}">',
        *(f'<line class="spread" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>' for x, _, low, high in points),
        f'<polyline class="line" stroke-dasharray="{_DASHES[kind]}" points="{path}"/>',
        *(f'<circle class="dot" cx="{x}" cy="{y}" r="3"/>' for x, y, _, _ in points),
        "</g>",
    ]


def _legend(series: Series) -> list[str]:
    parts = []
    x = float(_LEFT)
    for name, kind in zip(series.lines, _kinds(series), strict=True):
        parts += [
            f'<g class="{kind}"><line class="line" stroke-dasharray="{_DASHES[kind]}" x1="{x}" x2="{x + 28}" y1="44"'
            ' y2="44"/></g>',
            _text(x + 34, 48, name),
        ]
        x += 58 + 7 * len(name)
    return parts


def _kinds(series: Series) -> list[str]:
    kinds = list(_DASHES)
    return [kinds[number % len(kinds)] for number in range(len(series.lines))]


def _text(x: float, y: float, said: str, kind: str = "", anchor: str = "") -> str:
    names = {"class": kind, "text-anchor": anchor}
    attributes = "".join(f' {name}="{value}"' for name, value in names.items() if value)
    return f'<text x="{x}" y="{y}"{attributes}>{escape(said)}</text>'
