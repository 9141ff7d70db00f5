{#
    A row replaces another of its unique_key only if its version is not older (>=, or corrected
    code could not replace equal versions), so an old window replayed after a new one never
    wins. Merge never deletes: a row that has left the source stays, and one that changed code no longer
    selects is refused. Returns the keys of the other
    windows from which it has taken rows over.
#}
{% macro merge_window(target_relation, columns) %}
    {{- return(adapter.dispatch('merge_window', 'daybreak')(target_relation, columns)) -}}
{% endmacro %}

{% macro default__merge_window(target_relation, columns) %}
    {%- set new_rows = make_temp_relation(target_relation, '__new_rows') -%}
    {%- set version = daybreak._quoted(config.get('version_column')) -%}

    {%- do run_query(create_table_as(True, new_rows, compiled_code)) -%}
    {%- do daybreak._refuse_bad_merge_keys(new_rows) -%}
    {%- do daybreak._refuse_rows_outside_window(new_rows) -%}
    {%- set keys = daybreak._unique_keys() -%}
    {%- do daybreak._refuse_left_over(target_relation, new_rows, keys) -%}
    {#- A value of an older version beside those of a new one would be of no version. -#}
    {%- set standing = adapter.get_columns_in_relation(target_relation)
        | map(attribute='quoted') | list -%}
    {%- set touched = daybreak._windows_to_touch(target_relation, new_rows, keys, version) -%}
    {%- call statement('main') -%}
        merge into {{ target_relation }} as t
        using {{ new_rows }} as s
        on {{ daybreak._on_keys(keys, 't', 's') }}
        when matched and (t.{{ version }} is null or s.{{ version }} >= t.{{ version }})
            then update set
                {%- for column in standing %}
                {{ column }} = {{ 's.' ~ column if column in columns else 'null' }}
                {{- ',' if not loop.last }}
                {%- endfor %}
        when not matched then insert ({{ columns | join(', ') }})
            values (s.{{ columns | join(', s.') }})
    {%- endcall -%}
    {%- do run_query('drop table ' ~ new_rows) -%}
    {{- return(touched) -}}
{% endmacro %}

{# DuckDB's MERGE takes duplicate source keys and inserts NULL keys again each time. #}
{% macro _refuse_bad_merge_keys(relation) %}
    {%- set keys = daybreak._unique_keys() | join(', ') -%}
    {%- set null_keys = run_query(
        'select count(*) from ' ~ relation ~ ' where '
        ~ daybreak._unique_keys() | join(' is null or ') ~ ' is null'
    ).rows[0][0] -%}
    {%- if null_keys > 0 -%}
        {%- do daybreak._stop(
            model.name ~ ' selects ' ~ null_keys ~ ' rows with a NULL in its unique_key (' ~ keys
            ~ '): such a row would be inserted again at every replay; filter them out or mend the'
            ~ ' source'
        ) -%}
    {%- endif -%}
    {%- set repeated = run_query(
        'select ' ~ keys ~ ', count(*) as times from ' ~ relation ~ ' group by ' ~ keys
        ~ ' having count(*) > 1 order by times desc, ' ~ keys ~ ' limit 1'
    ).rows -%}
    {%- if repeated | length > 0 -%}
        {%- do daybreak._stop(
            model.name ~ ' selects several rows of one unique_key, for example '
            ~ daybreak._row_as_text(repeated[0].dict())
            ~ ': make its query give one row for each ' ~ keys
        ) -%}
    {%- endif -%}
{% endmacro %}
