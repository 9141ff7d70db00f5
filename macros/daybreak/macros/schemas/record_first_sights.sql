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
    {%- for test in daybreak._columns_match_tests()
        if test.unique_id in done
        or (daybreak._is_gate(test) and test.attached_node | default(none) in done) -%}
        {%- for source_id in test.depends_on.nodes
            if source_id in graph.sources and source_id not in recorded -%}
            {%- set watched = graph.sources[source_id] -%}
            {%- do recorded.append(source_id) -%}
            {%- if not daybreak._recorded_schema(daybreak._source_name(watched)).columns -%}
                {%- set columns = daybreak._columns_seen(watched, test) -%}
                {%- if columns -%}
                    {%- do daybreak._record_schema(daybreak._source_name(watched), columns) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}
