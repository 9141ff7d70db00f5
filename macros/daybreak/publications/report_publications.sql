{#
    A run-operation for the runner: tell what is published and how it was judged, of every windowed
    model. After a crash it asks for a window and for the fence of one invocation; without these
    vars it is told of all markers, to rebuild a ledger that was lost.
#}
{% macro report_publications() %}
    {%- set conditions = ['true'] -%}
    {%- if _has_window_vars() -%}
        {%- do conditions.append(_touches_window()) -%}
    {%- endif -%}
    {%- if var('fence', none) is not none -%}
        {%- do conditions.append('fence = ' ~ (var('fence') | int)) -%}
    {%- endif -%}
    {%- set publications = [] -%}
    {%- for node in _windowed_models() -%}
        {%- if load_relation(publications_relation(node.database)) is not none -%}
            {%- do publications.extend(_publications_of(node, conditions | join(' and '))) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do _report(publications, []) -%}
{% endmacro %}

{# The one line that the runner reads; rows are lists, as a lost ledger asks for thousands. #}
{% macro _report(publications, evidence) %}
    {%- set told = {'publications': publications, 'evidence': evidence} -%}
    {%- do log('DAYBREAK_REPORT ' ~ tojson(told)) -%}
{% endmacro %}

{# A model's markers for the report, the first window first; instants are naive UTC as text. #}
{% macro _publications_of(node, condition) %}
    {%- set markers -%}
        select
            cast(window_start as varchar) as window_start,
            cast(window_end as varchar) as window_end,
            row_count,
            verdict,
            fence,
            run_id,
            code_hash,
            cast(published_at as varchar) as published_at
        from {{ publications_relation(node.database) }}
        where {{ _is_of(node) }} and {{ condition }}
        order by 1
    {%- endset -%}
    {%- set rows = [] -%}
    {%- for row in run_query(markers).rows -%}
        {%- do rows.append([
            node.name, row['window_start'], row['window_end'], row['row_count'] | int,
            row['verdict'], row['fence'] | int, row['run_id'], row['code_hash'],
            row['published_at'],
        ]) -%}
    {%- endfor -%}
    {{- return(rows) -}}
{% endmacro %}
