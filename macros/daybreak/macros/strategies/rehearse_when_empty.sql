{# The query must run and fit the contract, and nothing is written. #}
{% macro _rehearse_when_empty() %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if not flags.EMPTY or existing is none -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- if model.language == 'python' -%}
        {%- call noop_statement('main', 'KEPT') -%} {%- endcall -%}
    {%- else -%}
        {%- if (config.get('contract') or {}).enforced -%}
            {%- do get_assert_columns_equivalent(compiled_code) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            select * from {{ daybreak._subquery(compiled_code, 'rehearsal') }} limit 0
        {%- endcall -%}
    {%- endif -%}
    {{- return({'relations': [existing]}) -}}
{% endmacro %}
