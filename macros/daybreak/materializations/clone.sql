{# `dbt clone --full-refresh` puts a view of another environment where the table is. #}
{% materialization clone, adapter='duckdb' -%}
    {%- if flags.FULL_REFRESH and _is_windowed(model) and load_cached_relation(this) -%}
        {%- do _stop(
            'dbt clone --full-refresh would replace the published windows of ' ~ model.name
            ~ ' by a view of another environment: leave --full-refresh out'
        ) -%}
    {%- endif -%}
    {{- return(dbt.materialization_clone_default()) -}}
{%- endmaterialization %}
