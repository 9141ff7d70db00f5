"""The graph of a pipeline, as text and as Mermaid; :mod:`runner.render.dag_svg` draws it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline

# A name without an underscore may be a word of Mermaid's own: `end`, `style`.
_PLAIN_KEY = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_MARKUP = '"#<>&;`'


def dag_text(pipeline: Pipeline, project: Project) -> str:
    """List the graph in the order in which it runs: each node with what it reads."""
    nodes = drawn_nodes(pipeline, project)
    names = {node.unique_id: node.name for node in nodes}
    lines = []
    for node in nodes:
        reads = sorted(names[parent] for parent in node.parents if parent in names)
        arrow = f"  ← {', '.join(reads)}" if reads else ""
        lines.append(f"{node.name} ({node.shown_kind}){arrow}")
    return "\n".join(lines)


def dag_mermaid(pipeline: Pipeline, project: Project) -> str:
    """Write the graph as a Mermaid flowchart."""
    nodes = drawn_nodes(pipeline, project)
    keys = _keys(nodes)
    lines = ["flowchart LR"]
    lines += [
        f'    {keys[node.unique_id]}["{_escaped(node.name)}<br/>{node.shown_kind}"]'
        for node in nodes
    ]
    lines += [
        f"    {keys[parent]} --> {keys[node.unique_id]}"
        for node in nodes
        for parent in sorted(node.parents)
        if parent in keys
    ]
    return "\n".join(lines)


def _keys(nodes: Sequence[Node]) -> dict[str, str]:
    """Return what each node is called in Mermaid's text, by unique id.

    That is its name where it has it alone and Mermaid takes it for one; else ``n`` and a number.
    """
    times = Counter(node.name for node in nodes)
    return {
        node.unique_id: node.name
        if times[node.name] == 1 and _PLAIN_KEY.fullmatch(node.name)
        else f"n{number}"
        for number, node in enumerate(nodes, start=1)
    }


def _escaped(name: str) -> str:
    """Write a name as Mermaid shows it in quotes: by entities, a number after a hash.

    >>> _escaped('a "b" #1 <c>')
    'a #34;b#34; #35;1 #60;c#62;'
    """
    return "".join(f"#{ord(char)};" if char in _MARKUP else char for char in name)


def drawn_nodes(pipeline: Pipeline, project: Project) -> list[Node]:
    """Return the nodes that hold data, and the sources that they read."""
    chosen = list(pipeline.data_nodes)
    parents = {parent for node in chosen for parent in node.parents}
    sources = [n for n in project.nodes.values() if n.kind == "source" and n.unique_id in parents]
    return sorted(sources, key=lambda node: node.name) + chosen
