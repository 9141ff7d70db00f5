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
    {%- set location = daybreak._location(source_relation) if execute else none -%}
    {%- if location is none -%}
        {{- return(source_relation) -}}
    {%- endif -%}
    {%- set landed = daybreak._landed(location) -%}
    {%- set is_build = flags.WHICH in ['build', 'run'] -%}
    {%- if landed['undated_count'] and is_build -%}
        {%- do exceptions.warn(
            model.name ~ ': no window reads ' ~ landed['undated_count'] ~ ' files of ' ~ location
            ~ ' that name no date, and nobody watches them, such as ' ~ landed['undated']
            ~ ': let their names begin with the date that they belong to, as in 2026-06-19.csv'
        ) -%}
    {%- endif -%}
    {%- if landed['in_window'] -%}
        {{- return(daybreak._read_files(landed['in_window'], landed['last_file'])) -}}
    {%- elif landed['last_file'] -%}
        {%- set last_file = daybreak._file_literal(landed['last_file']) -%}
        {{- return(
            '(select * from ' ~ daybreak._read_files(last_file, landed['last_file'], '')
            ~ ' limit 0)'
        ) -}}
    {%- elif is_build -%}
        {%- do daybreak._stop(
            'no landing file matches ' ~ location ~ ': land the files, or set DAYBREAK_LANDING'
        ) -%}
    {%- endif -%}
    {{- return(source_relation) -}}
{% endmacro %}

{#
    What the location matches: the last file by name, and those whose date lies in the window, as a
    list of SQL literals, which the database writes: there may be thousands. And how many name no
    date, and one of them.
#}
{% macro _landed(location) %}
    {%- set listed -%}
        select
            coalesce(
                max(file) filter (where landed_on is not null), max(file)
            ) as last_file,
            string_agg({{ daybreak._as_file_literal('file') }}, ', ' order by file)
                filter (where {{ daybreak.in_window('landed_on') }}) as in_window,
            count(*) filter (where landed_on is null) as undated_count,
            min(file) filter (where landed_on is null) as undated
        from (
            select
                file,
                {{ daybreak.landed_date('file') }} as landed_on
            from glob({{ location }})
        ) as files
    {%- endset -%}
    {{- return(run_query(listed).rows[0]) -}}
{% endmacro %}

{% macro landed_date(filename) %}
    {{- return(adapter.dispatch('landed_date', 'daybreak')(filename)) -}}
{% endmacro %}

{#
    The base name begins with the date and ends there, or goes on with what is no digit; else the
    innermost folder that is a day's, day=2017-03-18. runner/landed/dates.py says the same; a test
    holds both equal.
#}
{% macro default__landed_date(filename) %}
    {%- if daybreak._is_symbolic() -%}
        {{- return(daybreak._symbol('landed_date', filename)) -}}
    {%- endif -%}
    {%- set day = '([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})' -%}
    {%- set of_name = daybreak._date_within(filename, '^(?:.*/)?' ~ day ~ '(?:[^0-9/][^/]*)?$') -%}
    {%- set of_folder = daybreak._date_within(filename, '^(?:.*/)?[^/=]+=' ~ day ~ '/') -%}
    {{- return('coalesce(' ~ of_name ~ ', ' ~ of_folder ~ ')') -}}
{% endmacro %}

{# The date that the group of a pattern finds in a text; NULL if it finds none, or no date. #}
{% macro _date_within(text, pattern) %}
    {{- return(
        'try_cast(regexp_replace(regexp_extract(' ~ text ~ ", '" ~ pattern ~ "', 1, 's'), "
        ~ "'^(....)-?(..)-?(..)$', '\\1-\\2-\\3') as date)"
    ) -}}
{% endmacro %}
