{#
    Windows that had rows and would be published with none. Whether that is right only evidence can
    tell: no windowed model that it is made from has a row there. A gate rows_in_every_window knows more
    (closures, control totals) and has the say where there is one; `meta: {may_be_empty: true}` lets
    all be published. Raised beside the gates, whether the model has gates or not.
#}
{% macro _emptied_evidence(relation, standing, gates) %}
    {%- if standing is none or daybreak._may_be_empty(gates) -%}
        {{- return([]) -}}
    {%- endif -%}
    {%- set emptied = daybreak._emptied_windows(relation, standing) -%}
    {{- return(daybreak._evidence_of_model('may_be_empty', emptied)) -}}
{% endmacro %}

{% macro _may_be_empty(gates) %}
    {%- if config.get('incremental_strategy') == 'merge' -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- for gate in gates if daybreak._check_name(gate) == 'daybreak.rows_in_every_window' -%}
        {{- return(true) -}}
    {%- endfor -%}
    {{- return((config.get('meta') or {}).get('may_be_empty', false)) -}}
{% endmacro %}

{% macro _emptied_windows(relation, standing) %}
    {%- set grain = config.get('batch_size') %}
    with windows as ({{ daybreak.window_spine(grain) }}),

    actual as (
        select distinct {{ daybreak._window_key_of(model) }} as window_key
        from {{ relation }}
        where {{ daybreak._in_window_of(model) }}
    ),

    empty as (
        select windows.*, standing.row_count
        from windows
        inner join {{ standing }} as standing on windows.window_key = standing.window_key
        left join actual on windows.window_key = actual.window_key
        where actual.window_key is null
    )

    select
        window_start,
        window_end,
        'rows, or evidence that there are none; if that is right, the model says '
        || 'meta: {may_be_empty: true}' as expected,
        '0 rows, ' || row_count || ' stand there' as actual
    from empty
    where not ({{ daybreak._parents_are_empty(model, grain) }})
{% endmacro %}
