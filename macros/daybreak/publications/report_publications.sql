{#
    A run-operation for the runner, after a crash: tell what the invocation with this fence has
    published in this window, and how it was judged.
#}
{% macro report_publications() %}
    {%- set publications = [] -%}
    {%- for node in _windowed_models() -%}
        {%- set relation = publications_relation(node.database) -%}
        {%- if load_relation(relation) is not none -%}
            {%- do publications.extend(
                _publications_where(node, 'fence = ' ~ (var('fence') | int))
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do log('DAYBREAK_REPORT ' ~ tojson({'publications': publications, 'evidence': []})) -%}
{% endmacro %}
