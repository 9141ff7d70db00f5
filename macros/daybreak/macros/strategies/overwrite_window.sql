{#
    Delete by the window's predicate, not by the keys of the new rows, so that a day that has
    become empty becomes empty. The rows go straight into the table; a staging copy costs
    2.4 times as much at 50 million rows.
#}
{% macro overwrite_window(target_relation, columns) %}
    {{- return(adapter.dispatch('overwrite_window', 'daybreak')(target_relation, columns)) -}}
{% endmacro %}

{% macro default__overwrite_window(target_relation, columns) %}
    {%- call statement('delete') -%}
        delete from {{ target_relation }} where {{ daybreak._in_window_of(model) }}
    {%- endcall -%}
    {%- call statement('main', fetch_result=True) -%}
        insert into {{ target_relation }} ({{ columns | join(', ') }})
        select {{ columns | join(', ') }} from {{ daybreak._subquery(daybreak._selected_rows(), 'new_rows') }}
    {%- endcall -%}
    {%- set inserted = load_result('main')['data'][0][0] -%}
    {%- set found = run_query(
        'select count(*) from ' ~ target_relation ~ ' where ' ~ daybreak._in_window_of(model)
    ).rows[0][0] -%}
    {%- if inserted != found -%}
        {%- do daybreak._refuse_rows_outside_window(
            daybreak._subquery(daybreak._selected_rows(), 'new_rows')
        ) -%}
        {%- do daybreak._stop(
            model.name ~ ' inserted ' ~ inserted ~ ' rows and then found ' ~ found ~ ' in its'
            ~ ' window: its query does not answer twice the same; take random or clock functions'
            ~ ' out of it'
        ) -%}
    {%- endif -%}
{% endmacro %}
