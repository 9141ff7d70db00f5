{# Which tests are about a model, and which of them come after it is published. #}

{# Is it a test of the model: attached to it, or a singular test that reads it? #}
{% macro _is_about(test, node) %}
    {%- if test.resource_type != 'test' -%}
        {{- return(false) -}}
    {%- endif -%}
    {#- dbt gives a singular test no such attribute at all. -#}
    {%- set attached_to = test.attached_node | default(none) -%}
    {{- return(
        attached_to == node.unique_id
        or (attached_to is none and node.unique_id in test.depends_on.nodes)
    ) -}}
{% endmacro %}

{# The tests that are about a model and are not its gates: they run after it is published. #}
{% macro _later_tests_of(node) %}
    {%- set later = [] -%}
    {%- for test in graph.nodes.values() if daybreak._is_about(test, node) -%}
        {%- if test.attached_node != node.unique_id or not daybreak._is_gate(test) -%}
            {%- do later.append(test) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(later) -}}
{% endmacro %}

{% macro _results_about(node, results) %}
    {%- set found = [] -%}
    {%- for result in results if daybreak._is_about(result.node, node) -%}
        {%- do found.append(result) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{#
    The tests without which a model is not judged, and which have no result: a singular test that
    another model shares with it must not speak for all of its own. A test that also reads
    something the model is not built from is asked only if that is at hand, as dbt's indirect
    selection `buildable` has it, so it may be missing.
#}
{% macro _missing_tests(node, results) %}
    {%- set tested = results | map(attribute='node.unique_id') | list -%}
    {%- set missing = [] -%}
    {#- Of what is only judged, the gates of today have yet to be asked. -#}
    {%- set gates = daybreak._gates_of(node) if daybreak._is_only_judged(node) else [] -%}
    {%- set asked = daybreak._later_tests_of(node) + gates -%}
    {%- for test in asked if test.unique_id not in tested -%}
        {%- set known = [node.unique_id] + daybreak._ancestors_of(node) -%}
        {%- if test.depends_on.nodes | reject('in', known) | select('in', graph.nodes)
            | list | length == 0 -%}
            {%- do missing.append(test) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(missing) -}}
{% endmacro %}

{# What a model is built from, directly or not; unique ids. #}
{% macro _ancestors_of(node) %}
    {%- set ancestors = [] -%}
    {%- set to_visit = [node] -%}
    {#- The list grows while it is walked. -#}
    {%- for visited in to_visit -%}
        {%- for parent in visited.depends_on.nodes
            if parent in graph.nodes and parent not in ancestors -%}
            {%- do ancestors.append(parent) -%}
            {%- do to_visit.append(graph.nodes[parent]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(ancestors) -}}
{% endmacro %}
