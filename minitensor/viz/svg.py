"""A computation graph as SVG, for a notebook, a page or a file; nothing else is needed to draw it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from minitensor.viz.layout import LINE, Box, Point, Vertex, drawing

__all__ = ["COLORS", "svg"]

COLORS = {"leaf": "#d6ecd2", "op": "#dbe7f5", "result": "#fbe3c5"}
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" \
viewBox="0 0 {width:.0f} {height:.0f}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" text-anchor="middle">
<rect width="100%" height="100%" fill="#ffffff"/>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0.5 L8 4 L0 7.5 z" fill="#667788"/></marker></defs>
"""


def svg(vertices: Sequence[Vertex]) -> str:
    """Return the picture of a graph as an SVG document.

    >>> svg([Vertex("result", "a < b", (), ())]).count("a &lt; b")
    1
    """
    made = drawing(vertices)
    parts = [HEAD.format(width=made.width, height=made.height)]
    for line in made.lines:
        parts.append(f'<path d="{_path(line)}" fill="none" stroke="#667788" marker-end="url(#head)"/>\n')
    parts += [_box(box, v) for box, v in zip(made.boxes, vertices, strict=True)]
    return "".join([*parts, "</svg>\n"])


def _path(line: Sequence[Point]) -> str:
    """Return cubic curves in SVG's words."""
    start, *rest = (f"{x:.1f} {y:.1f}" for x, y in line)
    return f"M{start} C{' '.join(rest)}"


def _box(box: Box, vertex: Vertex) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    lines = [
        f'<text x="{box.x:.1f}" y="{top + LINE * (k + 1) + 1:.1f}" {style}>{escape(text)}</text>\n'
        for k, (text, style) in enumerate(
            [(vertex.name, 'font-size="12" font-weight="bold"'), *((fact, 'font-size="10"') for fact in vertex.facts)]
        )
    ]
    frame = f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="5"'
    return f'{frame} fill="{COLORS[vertex.kind]}" stroke="#556677"/>\n{"".join(lines)}'
