{#
    on-run-end, in a run of the runner: write what the checks found into the markers that this
    run has published, and tell the runner. A check that names windows condemns those; one that
    does not leaves its model unjudged, and the runner narrows it down.
#}
{% macro judge_publications(results) %}
    {%- if execute and _has_window_vars() and var('run_id', none) is not none -%}
        {%- set evidence = _failed_checks(results) -%}
        {%- set publications = [] -%}
        {%- for result in results
            if result.node.resource_type == 'model' and result.status == 'success' and is_windowed(result.node) -%}
            {%- do _judge_model(result.node, results, evidence) -%}
            {%- do publications.extend(_publications_of(result.node)) -%}
        {%- endfor -%}
        {%- do log('DAYBREAK_REPORT ' ~ tojson({'publications': publications, 'evidence': evidence})) -%}
    {%- endif -%}
{% endmacro %}

{% macro _failed_checks(results) %}
    {%- set evidence = [] -%}
    {%- for result in results
        if result.node.resource_type == 'test' and result.status in ['fail', 'warn'] and result.node.compiled_code -%}
        {%- set found = _evidence(result.node, result.node.compiled_code, result.failures) -%}
        {%- do found.update({'severity': 'error' if result.status == 'fail' else 'warn'}) -%}
        {%- do evidence.append(found) -%}
    {%- endfor -%}
    {{- return(evidence) -}}
{% endmacro %}

{% macro _judge_model(node, results, evidence) %}
    {%- set state = namespace(checks=_gates_of(node) | length, is_judged=true, bad_windows=[]) -%}
    {%- for result in results
        if result.node.resource_type == 'test' and node.unique_id in result.node.depends_on.nodes
        and result.node.attached_node in [node.unique_id, none] -%}
        {%- set state.checks = state.checks + 1 -%}
        {%- if result.status == 'fail' -%}
            {%- set found = evidence | selectattr('check', 'equalto', result.node.name) | first -%}
            {%- if found.names_windows -%}
                {%- do state.bad_windows.extend(found.rows | map(attribute='window_start') | list) -%}
            {%- else -%}
                {%- set state.is_judged = false -%}
            {%- endif -%}
        {%- elif result.status not in ['pass', 'warn'] -%}
            {%- set state.is_judged = false -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if state.is_judged -%}
        {%- do run_query(_write_verdict(node, 'correct' if state.checks else 'unchecked', state.bad_windows)) -%}
    {%- endif -%}
{% endmacro %}

{% macro _write_verdict(node, verdict, bad_windows) %}
    update {{ publications_relation(node.database) }}
    set
        verdict = {% if bad_windows -%}
            case when window_start in (
                {%- for bad in bad_windows %}cast('{{ bad }}' as timestamp){{ ', ' if not loop.last }}{% endfor -%}
            ) then 'incorrect' else '{{ verdict }}' end
        {%- else -%} '{{ verdict }}' {%- endif %},
        judged_at = cast('{{ run_started_at.strftime('%Y-%m-%d %H:%M:%S') }}' as timestamp)
    where model = '{{ node.name }}'
        and run_id = '{{ var('run_id') }}'
        and {{ _overlaps_window(window_bounds()) }}
{% endmacro %}

{% macro _publications_of(node) %}
    {%- set found = run_query(
        'select cast(window_start as varchar) as window_start, row_count, verdict from '
        ~ publications_relation(node.database) ~ " where model = '" ~ node.name ~ "' and run_id = '"
        ~ var('run_id') ~ "' and " ~ _overlaps_window(window_bounds()) ~ ' order by 1'
    ) -%}
    {%- set rows = [] -%}
    {%- for row in found.rows -%}
        {%- do rows.append([node.name, row['window_start'], row['row_count'] | int, row['verdict']]) -%}
    {%- endfor -%}
    {{- return(rows) -}}
{% endmacro %}
