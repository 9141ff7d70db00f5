{#
    Files that are read together have one type for each column. DuckDB takes that of the first, of
    Parquet silently: what a window holds would depend on its neighbours. So the types of all are
    compared before: numbers are widened where that loses nothing, anything else is refused, and the
    window may run alone. Text has no types: there all files are looked at for the widest.
#}
{% macro _as_one_type(literals, kind) %}
    {%- if kind == 'csv' -%}
        {%- do daybreak._refuse_empty_files(literals) -%}
        {{- return(', files_to_sniff = -1') -}}
    {%- elif kind == 'json' -%}
        {{- return(', maximum_sample_files = -1') -}}
    {%- endif -%}
    {%- set found = daybreak._types_by_column(literals) -%}
    {%- set widened = [] -%}
    {%- for column, by_type in found.items() if by_type | length > 1 -%}
        {%- if not daybreak._widens_without_loss(column, by_type | list, literals) -%}
            {%- set files = by_type.values() | list -%}
            {%- do daybreak._stop(
                column ~ ' is ' ~ (by_type | first) ~ ' in ' ~ files[0] ~ ' and '
                ~ (by_type | list)[1] ~ ' in ' ~ files[1] ~ ', so that what is read of the one'
                ~ ' would depend on the other: land both with one type'
            ) -%}
        {%- endif -%}
        {%- do widened.append(column) -%}
    {%- endfor -%}
    {{- return(', union_by_name = true' if widened else '') -}}
{% endmacro %}

{#
    The types of each column of Parquet files, each with a file that has it. Only one of the files
    that are alike is looked at; nothing is told of files that have not the same columns, which
    DuckDB refuses by itself.
#}
{% macro _types_by_column(literals) %}
    {%- set shapes -%}
        select min(file_name) as file
        from (
            select
                file_name,
                string_agg(
                    concat_ws(' ', name, type, logical_type, converted_type, precision, scale), ', '
                    order by name
                ) as shape
            from parquet_schema([{{ literals }}])
            where type is not null
            group by file_name
        ) as shapes
        group by shape
        order by file
    {%- endset -%}
    {%- set files = run_query(shapes).columns[0].values() -%}
    {%- set found = {} -%}
    {%- for file in files if files | length > 1 -%}
        {%- set one = 'read_parquet([' ~ daybreak._file_literal(file) ~ '])' -%}
        {%- for column, type in daybreak._columns_of(one) -%}
            {%- do found.setdefault(column, {}).setdefault(type | string, file) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{#
    Whole numbers into larger ones and decimals, and into floating point if they are small enough, by
    what the files say of themselves.
#}
{% macro _widens_without_loss(column, types, literals) %}
    {%- set whole = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT'] -%}
    {%- set unsigned = ['UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT', 'UHUGEINT'] -%}
    {%- set others = types | reject('in', whole + unsigned) | list -%}
    {%- set exact = [] -%}
    {%- for type in others if type.startswith('DECIMAL') -%}
        {%- do exact.append(type) -%}
    {%- endfor -%}
    {%- if others | reject('in', ['FLOAT', 'DOUBLE']) | list -%}
        {{- return(others == exact) -}}
    {%- elif not others or types | reject('in', others) | list | length == 0 -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- set largest = run_query(
        'select max(greatest(abs(try_cast(stats_min_value as double)),'
        ~ ' abs(try_cast(stats_max_value as double)))) from parquet_metadata([' ~ literals
        ~ "]) where type in ('INT32', 'INT64') and path_in_schema = " ~ daybreak._literal(column)
    ).rows[0][0] -%}
    {{- return(largest is not none and largest < 2 ** 53) -}}
{% endmacro %}

{# One among others would take their header away; alone it would pass for a day without rows. #}
{% macro _refuse_empty_files(literals) %}
    {%- set empty = run_query(
        'select min(filename) from read_blob([' ~ literals ~ ']) where size = 0'
    ).rows[0][0] -%}
    {%- if empty -%}
        {%- do daybreak._stop(
            empty ~ ' is empty, without even a header: land it again, or take it away if nothing'
            ~ ' came'
        ) -%}
    {%- endif -%}
{% endmacro %}
