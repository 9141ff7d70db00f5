{#
    A check that names windows condemns those; one that names none leaves its model unjudged,
    and the runner narrows it down.
#}
{% macro judge_publications(results) %}
    {%- if execute and _has_window_vars() and var('run_id', none) is not none -%}
        {%- set evidence = _failed_checks(results) -%}
        {%- set publications = [] -%}
        {%- for result in results
            if result.status == 'success' and _is_windowed(result.node) -%}
            {%- do _judge_model(result.node, results, evidence) -%}
            {%- set of_this_run = 'run_id = ' ~ _literal(var('run_id')) -%}
            {%- do publications.extend(_publications_where(result.node, of_this_run)) -%}
        {%- endfor -%}
        {%- set report = {'publications': publications, 'evidence': evidence} -%}
        {%- do log('DAYBREAK_REPORT ' ~ tojson(report)) -%}
    {%- endif -%}
{% endmacro %}

{% macro _failed_checks(results) %}
    {%- set evidence = [] -%}
    {%- for result in results
        if result.node.resource_type == 'test' and result.status in ['fail', 'warn']
        and result.node.compiled_code -%}
        {%- set found = _evidence(result.node, result.node.compiled_code, result.failures) -%}
        {%- do found.update({'severity': 'error' if result.status == 'fail' else 'warn'}) -%}
        {%- do evidence.append(found) -%}
    {%- endfor -%}
    {{- return(evidence) -}}
{% endmacro %}

{% macro _judge_model(node, results, evidence) %}
    {%- set state = namespace(checks=_gates_of(node) | length, is_judged=true, bad_windows=[]) -%}
    {%- for result in results if _is_about(result.node, node) -%}
        {%- set state.checks = state.checks + 1 -%}
        {%- if result.status == 'fail' -%}
            {%- set found = evidence | selectattr('check', 'equalto', result.node.name) | first -%}
            {%- if found and found.names_windows -%}
                {%- set named = found.rows | map(attribute='window_start') | list -%}
                {%- do state.bad_windows.extend(named) -%}
            {%- else -%}
                {%- set state.is_judged = false -%}
            {%- endif -%}
        {%- elif result.status not in ['pass', 'warn'] -%}
            {%- set state.is_judged = false -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if state.is_judged -%}
        {%- set verdict = 'correct' if state.checks else 'unchecked' -%}
        {%- do run_query(_write_verdict(node, verdict, state.bad_windows)) -%}
    {%- endif -%}
{% endmacro %}

{# Is it a test of the model: attached to it, or a singular test that reads it? #}
{% macro _is_about(test, node) %}
    {%- if test.resource_type != 'test' -%}
        {{- return(false) -}}
    {%- endif -%}
    {#- dbt gives a singular test no such attribute at all. -#}
    {%- set attached_to = test.attached_node | default(none) -%}
    {{- return(
        attached_to == node.unique_id
        or (attached_to is none and node.unique_id in test.depends_on.nodes)
    ) -}}
{% endmacro %}

{% macro _write_verdict(node, verdict, bad_windows) %}
    update {{ publications_relation(node.database) }}
    set
        verdict = {% if bad_windows -%}
            case when window_start in (
                {%- for bad in bad_windows -%}
                    cast('{{ bad }}' as timestamp){{ ', ' if not loop.last }}
                {%- endfor -%}
            ) then 'incorrect' else '{{ verdict }}' end
        {%- else -%} '{{ verdict }}' {%- endif %},
        judged_at = {{ _this_invocation() }}
    where {{ _markers_of_window(node) }}
        and run_id = {{ _literal(var('run_id')) }}
{% endmacro %}

{% macro _publications_where(node, condition) %}
    {%- set found = run_query(
        'select cast(window_start as varchar) as window_start, row_count, verdict from '
        ~ publications_relation(node.database) ~ ' where ' ~ _markers_of_window(node)
        ~ ' and ' ~ condition ~ ' order by 1'
    ) -%}
    {%- set rows = [] -%}
    {%- for row in found.rows -%}
        {%- do rows.append(
            [node.name, row['window_start'], row['row_count'] | int, row['verdict']]
        ) -%}
    {%- endfor -%}
    {{- return(rows) -}}
{% endmacro %}
