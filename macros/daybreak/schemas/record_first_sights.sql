{#
    Record the columns of the sources that were looked at for the first time: by a columns_match
    that has run, or by one that gated a model which was published.
#}
{% macro _record_first_sights(results) %}
    {%- set done = [] -%}
    {%- for result in results if result.status in ['success', 'pass'] -%}
        {%- do done.append(result.node.unique_id) -%}
    {%- endfor -%}
    {%- set recorded = [] -%}
    {%- for test in _columns_match_tests()
        if test.unique_id in done
        or (_is_gate(test) and test.attached_node | default(none) in done) -%}
        {%- for source_id in test.depends_on.nodes
            if source_id in graph.sources and source_id not in recorded -%}
            {%- set watched = graph.sources[source_id] -%}
            {%- do recorded.append(source_id) -%}
            {%- if not _recorded_schema(_source_name(watched)).columns -%}
                {%- set columns = _columns_seen(watched, test) -%}
                {%- if columns -%}
                    {%- do _record_schema(_source_name(watched), columns) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}
