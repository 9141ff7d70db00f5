{#
    What dbt asks no package for, the project has to let it ask ours: said before anything is built
    without it.
#}

{# Else dbt's own incremental would build a windowed model, and nothing would judge its rows. #}
{% macro _require_overrides() %}
    {%- if execute and flags.WHICH in ['build', 'run']
        and daybreak._is_windowed(model | default({'resource_type': none})) -%}
        {%- set found = context['materialization_incremental_' ~ target.type] -%}
        {%- if found.macro.package_name in ['dbt', 'dbt_' ~ target.type] -%}
            {%- do daybreak._stop(
                model.name ~ ' would be built by dbt alone, and nobody would judge its rows: write'
                ~ ' macro-paths: ["macros", "dbt_packages/daybreak/overrides"] into dbt_project.yml'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{# Else every test of a run would read the whole table, and condemn a window for another's rows. #}
{% macro _require_dispatch() %}
    {%- set found = adapter.dispatch('get_where_subquery', 'dbt') -%}
    {%- if found.macro.package_name in ['dbt', 'dbt_' ~ target.type] -%}
        {%- do daybreak._stop(
            'dbt would not ask Daybreak which rows a test reads: write dispatch: [{macro_namespace:'
            ~ ' dbt, search_order: [' ~ project_name ~ ', daybreak, dbt]}] into dbt_project.yml'
        ) -%}
    {%- endif -%}
{% endmacro %}
