{#
    The landed files of the window, and no others, as something to select from; each row carries
    the column `filename`. A file belongs to the window of the date in its name.

    Reading the whole glob would let one truncated file fail every window: its schema is taken
    from the file that sorts first, whichever window that is. So the files are listed first.
    With no file in the window it reads no row (the gates judge that); with no file at all the
    error says so.
#}
{% macro landed_in_window(source_relation) %}
    {{- return(adapter.dispatch('landed_in_window', 'daybreak')(source_relation)) -}}
{% endmacro %}

{% macro default__landed_in_window(source_relation) %}
    {{- return(source_relation) -}}
{% endmacro %}

{% macro duckdb__landed_in_window(source_relation) %}
    {%- if not execute or not source_relation.external -%}
        {{- return(source_relation) -}}
    {%- endif -%}
    {%- set pattern = source_relation.external | string | replace("'", '') -%}
    {%- set landed -%}
        select file, {{ in_window(landed_date('file')) }} as is_in_window
        from glob('{{ pattern }}')
        order by file
    {%- endset -%}
    {%- set files = run_query(landed) -%}
    {%- if not files.rows -%}
        {{ stop('no landing file matches ' ~ pattern ~ ': land the files, or set DAYBREAK_LANDING') }}
    {%- endif -%}
    {%- set in_window_files = [] -%}
    {%- for file in files.rows if file['is_in_window'] -%}
        {%- do in_window_files.append(file['file']) -%}
    {%- endfor -%}
    {%- if in_window_files -%}
        {{- return("read_parquet(['" ~ in_window_files | join("', '") ~ "'], filename = true)") -}}
    {%- endif -%}
    {{- return("(select * from read_parquet('" ~ files.rows[-1]['file'] ~ "', filename = true) limit 0)") -}}
{% endmacro %}

{# The date that a landed file carries in its name (…/2017-03-01.parquet); NULL without one. #}
{% macro landed_date(filename) %}
    {{- return(adapter.dispatch('landed_date', 'daybreak')(filename)) -}}
{% endmacro %}

{% macro default__landed_date(filename) %}
    {{- return("try_cast(parse_filename(" ~ filename ~ ", true) as date)") -}}
{% endmacro %}
