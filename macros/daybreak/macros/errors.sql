{# Every error of Daybreak's: one line that says what is wrong and what to do. #}
{% macro _stop(message) %}
    {%- do exceptions.raise_compiler_error('daybreak: ' ~ message) -%}
{% endmacro %}
