"""A page with plots for a bench result: one HTML file without scripts, beside its JSON."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pygal
from pygal.style import CleanStyle

Chart = Any


def write(path: Path, title: str, figures: Mapping[str, Any], charts: Sequence[Chart]) -> None:
    """Write the page: `figures` as a table, then every chart as SVG."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(_text(held))}</td></tr>" for name, held in figures.items())
    drawn = "".join(f"<figure>{one.render(is_unicode=True, disable_xml_declaration=True)}</figure>" for one in charts)
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>body{font:15px/1.5 system-ui;max-width:960px;margin:2rem auto;padding:0 1rem}"
        "th{text-align:left;padding-right:2rem;font-weight:500}figure{margin:2rem 0}</style>"
        f"<h1>{escape(title)}</h1><table>{rows}</table>{drawn}</html>\n"
    )


def _text(value: Any) -> str:
    return ", ".join(f"{name} {held}" for name, held in value.items()) if isinstance(value, dict) else str(value)


def bars(title: str, values: Mapping[str, float]) -> Chart:
    """Return horizontal bars, one a name."""
    chart = pygal.HorizontalBar(show_legend=False, **_look(title, 60 + 36 * len(values)))
    chart.x_labels = list(values)
    chart.add("", list(values.values()))
    return chart


def lines(title: str, x_title: str, series: Mapping[str, Sequence[float]]) -> Chart:
    """Return lines over the same x, one a name; x counts from 0."""
    longest = max(map(len, series.values()))
    chart = pygal.Line(show_dots=False, x_title=x_title, show_minor_x_labels=False, **_look(title, 320))
    chart.x_labels = list(map(str, range(longest)))
    chart.x_labels_major = [str(number) for number in range(0, longest, max(1, longest // 10))]
    for name, values in series.items():
        chart.add(name, list(values))
    return chart


def _look(title: str, height: int) -> dict[str, Any]:
    return {"title": title, "style": CleanStyle, "height": height, "width": 900, "js": (), "print_values": False}
