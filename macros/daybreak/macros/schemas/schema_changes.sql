{#
    How columns differ from those that were recorded: what of each was expected and what is
    there. One dropped and one added of the same type look like a column that was renamed.
#}
{% macro _schema_changes(recorded, found) %}
    {%- set before = dict(recorded) -%}
    {%- set now = dict(found) -%}
    {%- set dropped = recorded | rejectattr(0, 'in', now) | list -%}
    {%- set added = found | rejectattr(0, 'in', before) | list -%}
    {%- set changes = [] -%}
    {%- set renamed = [] -%}
    {%- for name, type in dropped -%}
        {%- set candidates = added | selectattr(1, 'equalto', type) | list -%}
        {%- set alike = dropped | selectattr(1, 'equalto', type) | list -%}
        {%- if candidates | length == 1 and alike | length == 1 -%}
            {%- do renamed.append(candidates[0][0]) -%}
            {%- do changes.append(daybreak._change(
                name, name ~ ' ' ~ type, name ~ ' looks renamed to ' ~ candidates[0][0]
            )) -%}
        {%- else -%}
            {%- do changes.append(daybreak._change(
                name, name ~ ' ' ~ type, name ~ ' was dropped'
            )) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name, type in recorded if name in now and now[name] != type -%}
        {%- do changes.append(daybreak._change(
            name, name ~ ' ' ~ type, name ~ ' was retyped to ' ~ now[name]
        )) -%}
    {%- endfor -%}
    {%- for name, type in added if name not in renamed -%}
        {%- do changes.append(daybreak._change(
            name, 'no column ' ~ name, name ~ ' ' ~ type ~ ' was added'
        )) -%}
    {%- endfor -%}
    {{- return(changes) -}}
{% endmacro %}

{% macro _change(column_name, expected, actual) %}
    {{- return({'column_name': column_name, 'expected': expected, 'actual': actual}) -}}
{% endmacro %}
