{#
    The contract, then the columns: before any row moves, because "delete, alter, insert" in one
    transaction fails at commit, and so does "update, alter". Returns the columns of the table that
    the query gives, quoted.
#}
{% macro _adapt_schema(existing) %}
    {%- if (config.get('contract') or {}).enforced -%}
        {%- do get_assert_columns_equivalent(compiled_code) -%}
    {%- endif -%}
    {%- set on_schema_change = incremental_validate_on_schema_change(
        config.get('on_schema_change'), default='fail'
    ) -%}
    {%- set standing = adapter.get_columns_in_relation(existing) -%}
    {%- if on_schema_change == 'ignore' -%}
        {{- return(standing | map(attribute='quoted') | list) -}}
    {%- endif -%}
    {%- set changes = daybreak._column_changes(daybreak._columns_of_query(existing), standing) -%}
    {%- if on_schema_change == 'fail' -%}
        {%- do daybreak._refuse_column_changes(changes) -%}
    {%- elif on_schema_change == 'append_new_columns' -%}
        {%- do daybreak._alter_columns(
            existing, {'added': changes.added, 'gone': [], 'retyped': [], 'renamed': []}
        ) -%}
    {%- else -%}
        {%- do daybreak._alter_columns(existing, changes) -%}
    {%- endif -%}
    {%- set given = [] -%}
    {%- for column in adapter.get_columns_in_relation(existing)
        if column.name | lower not in changes.gone | map(attribute='name') | map('lower') -%}
        {%- do given.append(column.quoted) -%}
    {%- endfor -%}
    {{- return(given) -}}
{% endmacro %}

{% macro _columns_of_query(existing) %}
    {%- set shape = make_temp_relation(existing, '__shape') -%}
    {%- do run_query(create_table_as(True, shape, daybreak._no_rows_of(compiled_code))) -%}
    {%- set columns = adapter.get_columns_in_relation(shape) -%}
    {%- do run_query('drop table ' ~ shape) -%}
    {{- return(columns) -}}
{% endmacro %}

{#
    How the columns of the query differ from those that stand. Names are the same in whatever case,
    as for the engine: a column that is only written otherwise is renamed, neither new nor gone.
#}
{% macro _column_changes(found, standing) %}
    {%- set by_name = {} -%}
    {%- for column in standing -%}
        {%- do by_name.update({column.name | lower: column}) -%}
    {%- endfor -%}
    {%- set changes = {'added': [], 'gone': [], 'retyped': [], 'renamed': []} -%}
    {%- for column in found -%}
        {%- set stood = by_name.pop(column.name | lower, none) -%}
        {%- if stood is none -%}
            {%- do changes.added.append(column) -%}
        {%- else -%}
            {%- if column.data_type != stood.data_type and not column.can_expand_to(stood) -%}
                {%- do changes.retyped.append({'from': stood, 'to': column}) -%}
            {%- endif -%}
            {%- if column.name != stood.name -%}
                {%- do changes.renamed.append({'from': stood, 'to': column}) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do changes.gone.extend(by_name.values()) -%}
    {{- return(changes) -}}
{% endmacro %}

{% macro _refuse_column_changes(changes) %}
    {%- set told = [] -%}
    {%- for column in changes.added -%}
        {%- do told.append(column.name ~ ' is new') -%}
    {%- endfor -%}
    {%- for column in changes.gone -%}
        {%- do told.append(column.name ~ ' is gone') -%}
    {%- endfor -%}
    {%- for change in changes.retyped -%}
        {%- do told.append(
            change.to.name ~ ' is ' ~ change.to.data_type ~ ', was ' ~ change.from.data_type
        ) -%}
    {%- endfor -%}
    {%- if told -%}
        {%- do daybreak._stop(
            model.name ~ ' and its table are out of sync (' ~ told | join(', ') ~ ') and'
            ~ " on_schema_change='fail': say 'append_new_columns' or 'sync_all_columns', or "
            ~ daybreak._how_to_rebuild()
        ) -%}
    {%- endif -%}
{% endmacro %}

{% macro _how_to_rebuild() %}
    {{- return(
        'rebuild it: `dbt build --full-refresh --select ' ~ model.name ~ '`, then `runner backfill'
        ~ ' PIPELINE --select ' ~ model.name ~ '+ --reprocess all`'
    ) -}}
{% endmacro %}

{% macro _alter_columns(existing, changes) %}
    {%- set changes_digests = (changes.added or changes.gone or changes.retyped)
        and daybreak._has_event_time(existing) -%}
    {%- set others = daybreak._keep_other_contents(existing) if changes_digests -%}
    {%- if changes.added or changes.gone -%}
        {%- do alter_relation_add_remove_columns(existing, changes.added, changes.gone) -%}
    {%- endif -%}
    {%- for change in changes.retyped -%}
        {%- do adapter.dispatch('change_type', 'daybreak')(existing, change.from, change.to) -%}
    {%- endfor -%}
    {%- for change in changes.renamed -%}
        {%- do run_query(
            'alter table ' ~ existing ~ ' rename column ' ~ change.from.quoted ~ ' to '
            ~ change.to.quoted
        ) -%}
    {%- endfor -%}
    {%- if changes_digests -%}
        {%- do daybreak._renew_digests(existing, others) -%}
    {%- endif -%}
{% endmacro %}

{# The contents of the windows that stay as they are while the columns of the table change. #}
{% macro _keep_other_contents(existing) %}
    {%- set others = make_temp_relation(existing, '__others')
        .include(database=False, schema=False) -%}
    {%- do run_query(
        'create temporary table ' ~ others ~ ' as '
        ~ daybreak._contents_by_window(model, existing, 'not ' ~ daybreak._in_window_of(model))
    ) -%}
    {{- return(others) -}}
{% endmacro %}

{#
    A digest is one of all columns: with other columns the rows of other windows have another, though
    nobody has touched them. Where rows were what the marker says, it says so of the new columns.
#}
{% macro _renew_digests(existing, others) %}
    {%- set not_in_window = 'not ' ~ daybreak._in_window_of(model) -%}
    {%- set renewed -%}
        update {{ daybreak.publications_relation(model.database) }} as markers
        set contents = found.contents
        from ({{ daybreak._contents_by_window(model, existing, not_in_window) }}) as found
        inner join {{ others }} as others on found.window_key = others.window_key
        where {{ daybreak._is_of(model) }}
            and {{ daybreak._window_key_of_marker(model) }} = found.window_key
            and markers.contents = others.contents
    {%- endset -%}
    {%- do run_query(renewed) -%}
    {%- do run_query('drop table ' ~ others) -%}
{% endmacro %}

{#
    dbt's own way (add, update, drop, rename) alters a table that it has updated, which DuckDB does
    not commit.
#}
{% macro duckdb__change_type(existing, stood, found) %}
    {%- set lost = run_query(
        'select count(*) from ' ~ existing ~ ' where ' ~ stood.quoted ~ ' is not null and try_cast('
        ~ stood.quoted ~ ' as ' ~ found.data_type ~ ') is null'
    ).rows[0][0] -%}
    {%- if lost > 0 -%}
        {%- do daybreak._stop(
            lost ~ ' rows of ' ~ model.name ~ ' stand with a value of ' ~ stood.name ~ ' that is no '
            ~ found.data_type ~ ', which its query makes of it now: ' ~ daybreak._how_to_rebuild()
        ) -%}
    {%- endif -%}
    {%- do run_query(
        'alter table ' ~ existing ~ ' alter column ' ~ stood.quoted ~ ' set data type '
        ~ found.data_type
    ) -%}
{% endmacro %}

{% macro default__change_type(existing, stood, found) %}
    {%- do alter_column_type(existing, stood.name, found.data_type) -%}
{% endmacro %}
