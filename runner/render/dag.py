"""The graph of a pipeline, as text and as Mermaid; :mod:`runner.render.dag_svg` draws it."""

from __future__ import annotations

from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline


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
    names = {node.unique_id: node.name for node in nodes}
    lines = ["flowchart LR"]
    lines += [f'    {node.name}["{node.name}<br/>{node.shown_kind}"]' for node in nodes]
    lines += [
        f"    {names[parent]} --> {node.name}"
        for node in nodes
        for parent in sorted(node.parents)
        if parent in names
    ]
    return "\n".join(lines)


def drawn_nodes(pipeline: Pipeline, project: Project) -> list[Node]:
    """Return the nodes that hold data, and the sources that they read."""
    chosen = list(pipeline.data_nodes)
    parents = {parent for node in chosen for parent in node.parents}
    sources = [n for n in project.nodes.values() if n.kind == "source" and n.unique_id in parents]
    return sorted(sources, key=lambda node: node.name) + chosen
