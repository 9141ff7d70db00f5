"""A tree that was kept is the tree that was parsed."""

import re
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

from runner.dbt.speedups import ast_cache

MACROS = Path(__file__).parents[2] / "macros"
TEXTS = [
    text
    for path in sorted(MACROS.rglob("*.sql"))
    if not re.search("{% (materialization|test)", text := path.read_text())  # dbt's own words
]
SAID = [
    "rows ",
    "{{ name }}",
    "{{ 1.5 + -2 * x ** 3 }}",
    "{{ 'a' ~ b[1:2] }}",
    "{{ f(1, *a, k=2) }}",
    "{% set a, b = (1, none), {'x': [true]} %}",
    "{# unsaid #}",
    "{{ a if b is not none else c }}",
    "{% for x, y in z if x recursive %}{{ loop(x) }}{% else %}none{% endfor %}",
    "{% macro m(a, b=1) %}{{ caller() }}{% endmacro %}",
    "{% do a.append(1 < b <= 2) %}",
    "{% call(x) m(1) %}{{ x | default('a') }}{% endcall %}",
    "{% raw %}{{ }}{% endraw %}\n",
    "{% filter upper %}a{% endfilter %}",
    "{% with a = 1 %}{{ not a }}{% endwith %}",
    "{% if a and b or c in d %}1{% elif e %}2{% endif %}",
]


def lines(tree: nodes.Template) -> list[int]:
    return [node.lineno for node in tree.find_all(nodes.Node)]


def assert_kept(text: str) -> None:
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=True)
    parsed = environment.parse(text)
    kept = ast_cache.to_bytes(parsed)
    found, again = (ast_cache.from_bytes(kept, environment) for _ in range(2))
    assert found == parsed
    assert lines(found) == lines(parsed)
    assert all(node.environment is environment for node in found.find_all(nodes.Node))
    # Jinja changes a tree when it compiles it.
    environment.compile(found)
    assert again == parsed


@pytest.mark.parametrize("text", TEXTS)
def test_our_macros_come_back_as_they_were(text: str):
    assert_kept(text)


@given(st.lists(st.sampled_from(SAID), max_size=8))
def test_what_jinja_can_say_comes_back_as_it_was(parts: list[str]):
    assert_kept("".join(parts))


@pytest.mark.parametrize(
    "tree",
    [nodes.Template([nodes.Const(object())]), nodes.Template([nodes.For(lineno=1)])],
    ids=["a value without bytes", "a node without its fields"],
)
def test_what_cannot_be_kept_is_refused(tree: nodes.Template):
    with pytest.raises(ValueError, match=r"."):
        ast_cache.to_bytes(tree)


PARSE = """
import sys
from pathlib import Path
from runner.dbt.cache import CacheFile
from runner.dbt.speedups import ast_cache
import dbt_common.clients.jinja as clients

parsed = []
original = clients.MacroFuzzParser.parse
clients.MacroFuzzParser.parse = lambda self: parsed.append(1) or original(self)
kept = CacheFile(Path(sys.argv[1]), None)
ast_cache.apply(kept)
environment = clients.get_environment()
text = "{% materialization table, adapter='duckdb' %}{{ config(x=1) }}{% endmaterialization %}"
for _ in range(2):
    macro, = environment.parse(text).body
    print(macro.name, end=" ")
try:
    environment.parse("{% macro %}")
except Exception as error:
    print(type(error).__name__, end=" ")
kept.save()
print(len(parsed))
"""


def test_dbts_texts_are_parsed_once(tmp_path: Path):
    arguments = [sys.executable, "-c", PARSE, str(tmp_path / "kept")]
    first, second = (
        subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    name = "dbt_macro__materialization_table_duckdb"
    # What does not parse is told anew each time.
    assert first == [name, name, "TemplateSyntaxError", "2"]
    assert second == [name, name, "TemplateSyntaxError", "1"]
