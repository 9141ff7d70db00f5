{#
    Merge the window's rows on unique_key. A row replaces another only if its version is not
    older (>=, or corrected code could not replace equal versions), so an old window replayed
    after a new one never wins. Merge never deletes: a row that has left the source stays.
#}
{% macro merge_window(target_relation, columns) %}
    {{- return(adapter.dispatch('merge_window', 'daybreak')(target_relation, columns)) -}}
{% endmacro %}

{% macro default__merge_window(target_relation, columns) %}
    {%- set new_rows = make_temp_relation(target_relation, '__new_rows') -%}
    {%- set version = adapter.quote(config.get('version_column')) -%}
    {%- set on_key = [] -%}
    {%- for key in _merge_keys() -%}
        {%- do on_key.append('t.' ~ adapter.quote(key) ~ ' = s.' ~ adapter.quote(key)) -%}
    {%- endfor -%}

    {%- do run_query(create_table_as(True, new_rows, compiled_code)) -%}
    {%- do validate_merge_keys(new_rows) -%}
    {%- do validate_rows_in_window(new_rows) -%}
    {%- call statement('main') -%}
        merge into {{ target_relation }} as t
        using {{ new_rows }} as s
        on {{ on_key | join(' and ') }}
        when matched and (t.{{ version }} is null or s.{{ version }} >= t.{{ version }}) then update set
            {% for column in columns %}{{ column }} = s.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
        when not matched then insert ({{ columns | join(', ') }})
            values ({% for column in columns %}s.{{ column }}{{ ', ' if not loop.last }}{% endfor %})
    {%- endcall -%}
    {%- do run_query('drop table ' ~ new_rows) -%}
{% endmacro %}

{% macro _merge_keys() %}
    {%- set unique_key = config.get('unique_key') -%}
    {{- return([unique_key] if unique_key is string else unique_key) -}}
{% endmacro %}

{# DuckDB's MERGE takes duplicate source keys and inserts NULL keys again each time. #}
{% macro validate_merge_keys(relation) %}
    {%- set keys = [] -%}
    {%- for key in _merge_keys() -%}
        {%- do keys.append(adapter.quote(key)) -%}
    {%- endfor -%}
    {%- set null_keys = run_query(
        'select count(*) from ' ~ relation ~ ' where ' ~ keys | join(' is null or ') ~ ' is null'
    ).rows[0][0] -%}
    {%- if null_keys > 0 -%}
        {{ stop(model.name ~ ' selects ' ~ null_keys ~ ' rows with a NULL in its unique_key (' ~ _merge_keys() | join(', ')
            ~ '): such a row would be inserted again at every replay; filter them out or mend the source') }}
    {%- endif -%}
    {%- set repeated = run_query(
        'select ' ~ keys | join(', ') ~ ', count(*) as times from ' ~ relation ~ ' group by ' ~ keys | join(', ')
        ~ ' having count(*) > 1 order by times desc, ' ~ keys | join(', ') ~ ' limit 1'
    ).rows -%}
    {%- if repeated | length > 0 -%}
        {{ stop(model.name ~ ' selects several rows of one unique_key, for example ' ~ _row_as_text(repeated[0].dict())
            ~ ': make its query give one row for each ' ~ _merge_keys() | join(', ')) }}
    {%- endif -%}
{% endmacro %}
