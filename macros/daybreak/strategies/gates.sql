{#
    Judge the new rows of a model inside the transaction that would publish them. Raises, and so
    rolls everything back, if a gate fails; what it found is in the message, for a person first
    and then as one line of JSON for the runner.
#}
{% macro judge_gates(relation) %}
    {%- set failed = [] -%}
    {%- for gate in _gates_of(model) -%}
        {%- set sql = _gate_sql(gate, relation) -%}
        {%- set counted = run_query(
            get_test_sql(sql, gate.config.fail_calc, gate.config.warn_if, gate.config.error_if, none)
        ) -%}
        {%- if counted.rows[0]['should_error'] -%}
            {%- do failed.append(_evidence(gate, sql, counted.rows[0]['failures'])) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if failed -%}
        {%- set lines = [] -%}
        {%- for check in failed -%}
            {%- for row in check.rows[:5] -%}
                {%- do lines.append(check.check ~ ': ' ~ _row_as_text(row)) -%}
            {%- endfor -%}
            {%- if check.failures > 5 -%}
                {%- do lines.append(check.check ~ ': ' ~ (check.failures - 5) ~ ' more') -%}
            {%- endif -%}
        {%- endfor -%}
        {{ stop('withheld ' ~ model.name ~ ', its published rows stay as they were:\n'
            ~ lines | join('\n') ~ '\nDAYBREAK_EVIDENCE ' ~ tojson(failed)) }}
    {%- endif -%}
{% endmacro %}

{# The tests attached to a model that are gates: `meta: {gate: true}`, severity error. #}
{% macro _gates_of(node) %}
    {%- set gates = [] -%}
    {%- for test in graph.nodes.values()
        if test.resource_type == 'test' and test.attached_node == node.unique_id and is_gate(test) -%}
        {%- for parent_id in test.depends_on.nodes
            if parent_id != node.unique_id and parent_id not in node.depends_on.nodes -%}
            {{ stop('the gate ' ~ test.name ~ ' reads ' ~ parent_id ~ ', which ' ~ node.name
                ~ " may not have been built after: add '-- depends_on: {{ ref(…) }}' to the model,"
                ~ ' or take the gate mark off the test') }}
        {%- endfor -%}
        {%- do gates.append(test) -%}
    {%- endfor -%}
    {{- return(gates) -}}
{% endmacro %}

{% macro is_gate(test) %}
    {{- return(
        (test.config.get('meta') or {}).get('gate', false) and test.config.severity | lower == 'error'
    ) -}}
{% endmacro %}

{# A test's query over the window's rows of the relation that is about to be published. #}
{% macro _gate_sql(gate, relation) %}
    {%- set conditions = [in_window(model.config.event_time, event_time_as(model))] -%}
    {%- if gate.config.where -%}
        {%- do conditions.append('(' ~ gate.config.where ~ ')') -%}
    {%- endif -%}
    {%- set arguments = {} -%}
    {%- for name, value in gate.test_metadata.kwargs.items() if name != 'model' -%}
        {%- do arguments.update({name: _rendered_argument(value)}) -%}
    {%- endfor -%}
    {%- set new_rows = '(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ') ~ ') as new_rows' -%}
    {%- set name = 'test_' ~ gate.test_metadata.name -%}
    {%- set namespace = gate.test_metadata.namespace -%}
    {%- set macro = context[namespace][name] if namespace else context[name] -%}
    {{- return(macro(model=new_rows, **arguments)) -}}
{% endmacro %}

{# dbt keeps the arguments of a test unrendered; those that call ref and the like are rendered. #}
{% macro _rendered_argument(value) %}
    {%- if value is string and modules.re.match('^\s*(env_var|ref|var|source)\s*\(.+\)\s*$', value) -%}
        {{- return(render('{{ ' ~ value ~ ' }}')) -}}
    {%- elif value is string and '{{' in value -%}
        {{- return(render(value)) -}}
    {%- endif -%}
    {{- return(value) -}}
{% endmacro %}

{% macro _evidence(test, sql, failures) %}
    {%- set rows = [] -%}
    {#- A check that names windows must name all of them, or the good ones could not be told
        from the bad; of any other five rows are enough to understand it. -#}
    {%- set sample = run_query('select * from (' ~ sql ~ ') as evidence limit 5') -%}
    {%- set names_windows = 'window_start' in sample.column_names -%}
    {%- set found = run_query(sql) if names_windows and failures > 5 else sample -%}
    {%- for row in found.rows -%}
        {%- set values = {} -%}
        {%- for column, value in row.items() -%}
            {%- do values.update({column: none if value is none else value | string}) -%}
        {%- endfor -%}
        {%- do rows.append(values) -%}
    {%- endfor -%}
    {{- return({
        'model': test.attached_node.split('.')[-1] if test.attached_node else none,
        'check': test.name,
        'failures': failures | int,
        'names_windows': names_windows,
        'rows': rows,
    }) -}}
{% endmacro %}

{% macro _row_as_text(row) %}
    {%- if 'window_start' in row -%}
        {%- set local_start = modules.datetime.datetime.fromisoformat(row.window_start)
            .replace(tzinfo=modules.pytz.utc).astimezone(_zone()) -%}
        {{- return(local_start.strftime('%Y-%m-%d %H:%M') | replace(' 00:00', '') ~ ': expected '
            ~ row.expected ~ '; actual ' ~ row.actual) -}}
    {%- endif -%}
    {%- set values = [] -%}
    {%- for name, value in row.items() -%}
        {%- do values.append(name ~ ' ' ~ value) -%}
    {%- endfor -%}
    {{- return(values | join(', ')) -}}
{% endmacro %}
