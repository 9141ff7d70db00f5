{#
    Reading the whole glob would let one truncated file fail every window: its schema is taken
    from the file that sorts first, whichever window that is. So the files are listed first.
    With no file in the window it reads no row (the gates judge that); with no file at all a
    build stops and says so, while `dbt compile`, `dbt docs` and sqlfluff see the glob.
#}
{% macro landed_in_window(source_relation) %}
    {{- return(adapter.dispatch('landed_in_window', 'daybreak')(source_relation)) -}}
{% endmacro %}

{% macro default__landed_in_window(source_relation) %}
    {{- return(source_relation) -}}
{% endmacro %}

{% macro duckdb__landed_in_window(source_relation) %}
    {%- if daybreak._is_symbolic() -%}
        {{- return(daybreak._symbol_in_zone('landed_in_window', source_relation)) -}}
    {%- endif -%}
    {#- A unit test's rows have no location; a location that is a call reads files its own way. -#}
    {%- set location = (source_relation.external or '') | string -%}
    {%- if not execute or not location or '(' in location -%}
        {{- return(source_relation) -}}
    {%- endif -%}
    {%- set landed = daybreak._landed(location) -%}
    {%- if not landed['last_file'] and flags.WHICH in ['build', 'run'] -%}
        {%- do daybreak._stop(
            'no landing file matches ' ~ location ~ ': land the files, or set DAYBREAK_LANDING'
        ) -%}
    {%- elif not landed['last_file'] -%}
        {{- return(source_relation) -}}
    {%- elif landed['in_window'] -%}
        {{- return(daybreak._read_files(landed['in_window'], landed['last_file'])) -}}
    {%- endif -%}
    {%- set last_file = daybreak._literal(landed['last_file']) -%}
    {{- return(
        '(select * from ' ~ daybreak._read_files(last_file, landed['last_file']) ~ ' limit 0)'
    ) -}}
{% endmacro %}

{#
    What the location matches: the last file by name, and those whose date lies in the window, as a
    list of SQL literals, which the database writes: there may be thousands.
#}
{% macro _landed(location) %}
    {%- set listed -%}
        select
            max(file) as last_file,
            string_agg('''' || replace(file, '''', '''''') || '''', ', ' order by file)
                filter (where {{ daybreak.in_window(daybreak.landed_date('file')) }}) as in_window
        from glob({{ location }})
    {%- endset -%}
    {{- return(run_query(listed).rows[0]) -}}
{% endmacro %}

{# The call that reads files, given as SQL literals; all are of the kind of the one named. #}
{% macro _read_files(literals, name) %}
    {%- set reader = {
        'parquet': 'read_parquet', 'csv': 'read_csv', 'json': 'read_json',
    }.get(name.split('.')[-1]) -%}
    {%- if reader is none -%}
        {%- do daybreak._stop(
            'landed_in_window cannot read ' ~ name ~ ': land .parquet, .csv or .json files'
        ) -%}
    {%- endif -%}
    {{- return(reader ~ '([' ~ literals ~ '], filename = true)') -}}
{% endmacro %}

{% macro landed_date(filename) %}
    {{- return(adapter.dispatch('landed_date', 'daybreak')(filename)) -}}
{% endmacro %}

{% macro default__landed_date(filename) %}
    {%- if daybreak._is_symbolic() -%}
        {{- return(daybreak._symbol('landed_date', filename)) -}}
    {%- endif -%}
    {{- return('try_cast(parse_filename(' ~ filename ~ ', true) as date)') -}}
{% endmacro %}
