{#
    Replace the window: delete by its predicate, not by the keys of the new rows, so that a day
    that has become empty becomes empty. The rows go straight into the table; a staging copy
    costs 2.4 times as much at 50 million rows.
#}
{% macro overwrite_window(target_relation, columns) %}
    {{- return(adapter.dispatch('overwrite_window', 'daybreak')(target_relation, columns)) -}}
{% endmacro %}

{% macro default__overwrite_window(target_relation, columns) %}
    {%- set is_in_window = in_window(config.get('event_time'), event_time_as(model)) -%}
    {%- call statement('delete') -%}
        delete from {{ target_relation }} where {{ is_in_window }}
    {%- endcall -%}
    {%- call statement('main', fetch_result=True) -%}
        insert into {{ target_relation }} ({{ columns | join(', ') }})
        select {{ columns | join(', ') }} from ({{ compiled_code }}) as new_rows
    {%- endcall -%}
    {%- set inserted = load_result('main')['data'][0][0] -%}
    {%- set found = run_query('select count(*) from ' ~ target_relation ~ ' where ' ~ is_in_window).rows[0][0] -%}
    {%- if inserted != found -%}
        {%- do validate_rows_in_window('(' ~ compiled_code ~ ') as new_rows') -%}
        {{ stop(model.name ~ ' inserted ' ~ inserted ~ ' rows and then found ' ~ found ~ ' in its window:'
            ~ ' its query does not answer twice the same; take random or clock functions out of it') }}
    {%- endif -%}
{% endmacro %}
