"""The graph of a pipeline as a picture: a box per node, coloured by its state, which words say too.

The picture stands alone, without fonts, scripts or styles from elsewhere. Boxes bring their own
background, and everything between them is a middle grey that is legible on white and on black.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from runner.core.status import WindowStatus
from runner.explain.causes import Lineage, LineageNode
from runner.render.layers import Bend, Layers, Place, layered
from runner.render.words import counted, yes_no

_LETTER = 7.3  # width of a character of the names, pixels, on the generous side
_BOX_HEIGHT = 62
_BEND_HEIGHT = 14
_GAP_BELOW = 18
_GAP_BESIDE = 64
_MARGIN = 16
_TITLE_HEIGHT = 34
_GREY = "#808080"
_INK = "#1a1a1a"
# Background and border; the borders are far enough apart in lightness to be told in print.
_COLORS = {
    WindowStatus.SUCCESS: ("#d7f0dc", "#2e7d4f"),
    WindowStatus.UNCHECKED: ("#eef3d2", "#7a8a1e"),
    WindowStatus.STALE: ("#fdf0cc", "#a67c00"),
    WindowStatus.PUBLISHED: ("#fdf0cc", "#a67c00"),
    WindowStatus.IN_FLIGHT: ("#d6ebfa", "#1f6fa8"),
    WindowStatus.MISSING: ("#f2f2f2", "#6b6b6b"),
    WindowStatus.INCORRECT: ("#ffdcc2", "#b5480b"),
    WindowStatus.FAILED: ("#fbd0d0", "#a31515"),
    WindowStatus.BLOCKED: ("#fbd0d0", "#a31515"),
}
_NO_STATUS = ("#f7f7f7", "#808080")
_ABSENT = ("#ffdcc2", "#b5480b")
_NO_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


@dataclass(frozen=True)
class _Box:
    """The place of a node or a bend, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2

    @property
    def right(self) -> float:
        return self.left + self.width


def dag_svg(title: str, found: Lineage) -> str:
    """Draw a map; valid XML, whatever the names hold."""
    layers = layered({node.unique_id: node.parents for node in found.nodes})
    boxes = _boxes(layers, found)
    width = max((box.right for box in boxes.values()), default=0) + _MARGIN
    width = max(width, 2 * _MARGIN + _LETTER * len(title))
    height = max((box.top + box.height for box in boxes.values()), default=_TITLE_HEIGHT) + _MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" '
        f'aria-label={quoteattr(_clean(title))} font-family="sans-serif" font-size="12">',
        f"<title>{escape(_clean(title))}</title>",
        f'<text x="{_MARGIN}" y="{_MARGIN + 8}" fill="{_GREY}" font-size="14" font-weight="bold">'
        f"{escape(_clean(title))}</text>",
        *(_edge(route, boxes) for route in layers.routes.values()),
        *(line for node in found.nodes for line in _node(node, boxes[node.unique_id], found)),
        "</svg>",
    ]
    return "\n".join(lines)


def _boxes(layers: Layers, found: Lineage) -> dict[Place, _Box]:
    """Put columns side by side, each as wide as its widest box, and centre them on the highest."""
    heights = [sum(map(_height, column)) for column in layers.columns]
    tallest = max(heights, default=0)
    boxes: dict[Place, _Box] = {}
    left = float(_MARGIN)
    for column, height in zip(layers.columns, heights, strict=True):
        names = [place for place in column if isinstance(place, str)]
        width = max((_width(found.by_id[name]) for name in names), default=0.0)
        top = _MARGIN + _TITLE_HEIGHT + (tallest - height) / 2
        for place in column:
            boxes[place] = _Box(left, top, width, _height(place) - _GAP_BELOW)
            top += _height(place)
        left += width + _GAP_BESIDE
    return boxes


def _height(place: Place) -> float:
    return (_BEND_HEIGHT if isinstance(place, Bend) else _BOX_HEIGHT) + _GAP_BELOW


def _width(node: LineageNode) -> float:
    longest = max(len(node.name) + 1, *(len(line) for line in _small_print(node)))
    return 20 + _LETTER * longest


def _small_print(node: LineageNode) -> tuple[str, str]:
    verdict = node.verdict
    if verdict.ran is None and verdict.correct is None:
        state = node.state
    else:
        state = f"{node.state}: ran {yes_no(verdict.ran)}, correct {yes_no(verdict.correct)}"
    rows = [part.rows for part in node.parts if part.rows is not None]
    return state, ", ".join([node.kind, *([counted(sum(rows), "row")] if rows else [])])


def _edge(route: Sequence[Place], boxes: dict[Place, _Box]) -> str:
    """Draw a curve from the right of the parent to the left of the child, level through bends."""
    x, y = boxes[route[0]].right, boxes[route[0]].middle
    path = [f"M {x:.1f} {y:.1f}"]
    for place in route[1:]:
        box = boxes[place]
        half = (box.left - x) / 2
        curve = f"{x + half:.1f} {y:.1f}, {x + half:.1f} {box.middle:.1f}"
        path.append(f"C {curve}, {box.left:.1f} {box.middle:.1f}")
        x, y = box.left, box.middle
        if isinstance(place, Bend):
            path.append(f"L {box.right:.1f} {y:.1f}")
            x = box.right
    tip = f'<path d="M {x:.1f} {y:.1f} l -7 -3.5 v 7 z" fill="{_GREY}"/>'
    return f'<path d="{" ".join(path)}" fill="none" stroke="{_GREY}" stroke-width="1.3"/>{tip}'


def _node(node: LineageNode, box: _Box, found: Lineage) -> Iterator[str]:
    is_cause = node in found.causes
    fill, border = _COLORS[node.status] if node.status else _NO_STATUS
    if node.is_absent and is_cause:
        fill, border = _ABSENT
    dashes = "" if node.is_windowed else ' stroke-dasharray="5 3"'
    state, kind = _small_print(node)
    place = f'x="{box.left:.1f}" y="{box.top:.1f}" width="{box.width:.1f}" height="{box.height}"'
    yield "<g>"
    yield f"<title>{escape(_clean(_hint(node)))}</title>"
    yield (
        f'<rect {place} rx="6" fill="{fill}" stroke="{border}" '
        f'stroke-width="{3 if is_cause else 1.5}"{dashes}/>'
    )
    texts = ((18, _INK, ' font-weight="bold"', node.name), (36, _INK, "", state))
    for below, ink, weight, text in (*texts, (53, "#555555", "", kind)):
        yield (
            f'<text x="{box.left + 10:.1f}" y="{box.top + below:.1f}" fill="{ink}"{weight}>'
            f"{escape(_clean(text))}</text>"
        )
    if is_cause:
        yield (
            f'<text x="{box.left:.1f}" y="{box.top - 5:.1f}" fill="{border}" font-size="11" '
            'font-weight="bold">first cause</text>'
        )
    yield "</g>"


def _hint(node: LineageNode) -> str:
    """Return the text for a pointer that rests on a box."""
    reasons = [f"{part.label} {part.status}: {part.why}".strip() for part in node.parts if part.why]
    return "\n".join([f"{node.name} is {node.state}", *reasons])


def _clean(text: str) -> str:
    """Replace the characters that no XML may hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
