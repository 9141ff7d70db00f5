{#
    A run-operation for the runner: tell what is published and how it was judged, of every windowed
    model or of those whose unique ids are given. After a crash it asks for a window; without its
    vars it is told of all markers.
#}
{% macro report_publications(models=none) %}
    {%- do daybreak._upgrade_what_is_there() -%}
    {%- set is_asked_for = daybreak._touches_window() if daybreak._has_window_vars() else 'true' -%}
    {%- set publications = [] -%}
    {%- for node in daybreak._windowed_models() if models is none or node.unique_id in models -%}
        {%- if daybreak._has_markers(node.database) -%}
            {%- do publications.extend(daybreak._publications_of(node, is_asked_for)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do daybreak._report(publications, []) -%}
{% endmacro %}

{#
    The one line that the runner reads. The publications are JSON already: a lost ledger asks for
    thousands.
#}
{% macro _report(publications, evidence, touched=[], tables=[]) %}
    {%- do log(
        'DAYBREAK_REPORT {"publications": [' ~ publications | join(', ') ~ '], "touched": ['
        ~ touched | join(', ') ~ '], "evidence": ' ~ tojson(evidence) ~ ', "tables": '
        ~ tojson(tables) ~ ', "warehouse": ' ~ tojson(daybreak._warehouse_id()) ~ '}'
    ) -%}
{% endmacro %}

{#
    A model's markers for the report, as the texts of JSON arrays: one for each invocation and
    verdict, with the windows that it is about, the first first. Instants are naive UTC as text.
#}
{% macro _publications_of(node, condition) %}
    {%- set markers -%}
        select
            cast(json_array(
                {{ daybreak._literal(node.unique_id) }},
                verdict,
                fence,
                run_id,
                code_hash,
                checks_hash,
                cast(published_at as varchar),
                list(
                    json_array(
                        cast(window_start as varchar), cast(window_end as varchar), row_count,
                        cast(nullif(contents_since, published_at) as varchar)
                    )
                    order by window_start
                )
            ) as varchar) as told
        from {{ daybreak.publications_relation(node.database) }}
        where {{ daybreak._is_of(node) }} and {{ condition }}
        group by verdict, fence, run_id, code_hash, checks_hash, published_at
        order by min(window_start)
    {%- endset -%}
    {{- return(run_query(markers).columns['told'].values() | list) -}}
{% endmacro %}
