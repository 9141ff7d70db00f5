{#
    Judge the new rows of a model inside the transaction that would publish them. Raises, and so
    rolls everything back, if a gate fails; what it found is in the message, for a person first
    and then as one line of JSON for the runner. Returns the evidence of gates that only warn.
#}
{% macro _judge_gates(relation, standing) %}
    {%- set gates = daybreak._gates_of(model) -%}
    {%- set failed = daybreak._key_evidence(relation)
        + daybreak._emptied_evidence(relation, standing, gates) -%}
    {%- set warned = [] -%}
    {%- for gate in gates -%}
        {%- set sql = daybreak._gate_sql(gate, relation) -%}
        {%- set counted = run_query(daybreak._test_sql(
            sql, gate.config.fail_calc, gate.config.warn_if, gate.config.error_if,
            gate.config.limit
        )).rows[0] -%}
        {%- if counted['failures'] is none -%}
            {%- do daybreak._stop(
                'the fail_calc of ' ~ gate.name ~ ' gives NULL, which neither passes nor fails:'
                ~ ' wrap it in coalesce(…, 0)'
            ) -%}
        {%- elif counted['should_error'] or counted['should_warn'] -%}
            {%- if not counted['should_error'] -%}
                {%- do exceptions.warn(gate.name ~ ' found ' ~ counted['failures'] ~ ' (warn_if '
                    ~ gate.config.warn_if ~ ')') -%}
            {%- endif -%}
            {%- set severity = 'error' if counted['should_error'] else 'warn' -%}
            {%- for found in daybreak._evidence(gate, sql, counted['failures'], severity) -%}
                {%- do (failed if found.severity == 'error' else warned).append(found) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if failed -%}
        {#- For the runner alone: a person who types `dbt build` has read the lines above it. -#}
        {%- set evidence = '' if var('run_id', none) is none
            else '\nDAYBREAK_EVIDENCE ' ~ tojson(failed + warned) -%}
        {%- do daybreak._stop(
            'withheld ' ~ model.name ~ ', its published rows stay as they were:\n'
            ~ daybreak._failures_as_text(failed) ~ evidence
        ) -%}
    {%- endif -%}
    {{- return(warned) -}}
{% endmacro %}

{# The runner reads the message of a model's result; a person has dbt's warnings. #}
{% macro _tell_warnings(warned) %}
    {%- if warned and var('run_id', none) is not none -%}
        {%- do store_result('main', response='DAYBREAK_EVIDENCE ' ~ tojson(warned)) -%}
    {%- endif -%}
{% endmacro %}

{# The tests attached to a model that are gates: `meta: {gate: true}`, severity error. #}
{% macro _gates_of(node) %}
    {%- set gates = [] -%}
    {%- for test in graph.nodes.values()
        if test.resource_type == 'test'
        and daybreak._is_gate(test) and daybreak._is_about(test, node) -%}
        {%- do daybreak._validate_gate(test, node) -%}
        {%- do gates.append(test) -%}
    {%- endfor -%}
    {{- return(gates) -}}
{% endmacro %}

{# Marked as one, severity error. late_rows sets its own, and is refused whatever that is. #}
{% macro _is_gate(test) %}
    {{- return(
        (test.config.get('meta') or {}).get('gate', false)
        and (
            test.config.severity | lower == 'error'
            or daybreak._check_name(test) == 'daybreak.late_rows'
        )
    ) -}}
{% endmacro %}

{#
    A gate reads what is there before the model: the model itself, its parents, sources. The runner
    refuses the same before anything runs (runner/project/gates.py); a test holds both equal.
#}
{% macro _validate_gate(gate, node) %}
    {%- set check = daybreak._check_name(gate) -%}
    {%- if gate.test_metadata is not defined -%}
        {%- do daybreak._stop(
            'the gate ' ~ gate.name ~ ' is a singular test, whose query cannot be asked of the new'
            ~ ' rows alone: make it a generic test of ' ~ node.name ~ ', or take the gate mark off'
        ) -%}
    {%- elif check == 'daybreak.late_rows' -%}
        {%- do daybreak._stop(
            'the gate ' ~ gate.name ~ ' looks for rows that came after windows were published, so'
            ~ ' it cannot hold one back: take the gate mark off'
        ) -%}
    {%- elif check in ['daybreak.volume_within', 'daybreak.null_rate_within']
        and gate.config.where -%}
        {%- do daybreak._stop_where(gate.test_metadata.name) -%}
    {%- endif -%}
    {%- for read in gate.depends_on.nodes if read != node.unique_id and read in graph.nodes -%}
        {%- if read not in node.depends_on.nodes -%}
            {%- do daybreak._stop(
                'the gate ' ~ gate.name ~ ' reads ' ~ read ~ ', which ' ~ node.name ~ ' may not'
                ~ " have been built after: add '-- depends_on: {{ ref(…) }}' to the model, or"
                ~ ' take the gate mark off the test'
            ) -%}
        {%- elif graph.nodes[read].config.materialized == 'ephemeral' -%}
            {%- do daybreak._stop(
                'the gate ' ~ gate.name ~ ' reads ' ~ read ~ ', which is ephemeral, so no relation'
                ~ ' holds its rows: materialize it as a view'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{# A test's query over the window's rows of the relation that is about to be published. #}
{% macro _gate_sql(gate, relation) %}
    {%- set conditions = [daybreak._in_window_of(model)] -%}
    {%- if gate.config.where -%}
        {%- do conditions.append('(' ~ gate.config.where ~ ')') -%}
    {%- endif -%}
    {%- set arguments = {} -%}
    {%- for name, value in gate.test_metadata.kwargs.items() if name != 'model' -%}
        {#- As dbt does: a column's name is never rendered. -#}
        {%- do arguments.update(
            {name: value if name == 'column_name' else daybreak._rendered_argument(value)}
        ) -%}
    {%- endfor -%}
    {%- set new_rows = '(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ')
        ~ ') as new_rows' -%}
    {%- set name = 'test_' ~ gate.test_metadata.name -%}
    {%- set namespace = gate.test_metadata.namespace -%}
    {%- set test = context[namespace][name] if namespace else context[name] -%}
    {{- return(test(model=new_rows, **arguments)) -}}
{% endmacro %}

{#
    dbt keeps the arguments of a test unrendered. Rendered here as dbt renders them, however deep
    they lie: what is a call to ref and the like, and what holds Jinja.
#}
{% macro _rendered_argument(value) %}
    {%- if value is mapping -%}
        {%- set rendered = {} -%}
        {%- for name, inner in value.items() -%}
            {%- do rendered.update({name: daybreak._rendered_argument(inner)}) -%}
        {%- endfor -%}
        {{- return(rendered) -}}
    {%- elif value is sequence and value is not string -%}
        {%- set rendered = [] -%}
        {%- for inner in value -%}
            {%- do rendered.append(daybreak._rendered_argument(inner)) -%}
        {%- endfor -%}
        {{- return(rendered) -}}
    {%- elif value is not string -%}
        {{- return(value) -}}
    {%- elif modules.re.match('^\\s*(env_var|ref|var|source|doc)\\s*\\(.+\\)\\s*$', value) -%}
        {%- set value = '{{ ' ~ value ~ ' }}' -%}
    {%- endif -%}
    {%- set text = render(value) if '{{' in value or '{%' in value else value -%}
    {#- dbt renders natively, so Jinja can give a list or a mapping too. -#}
    {{- return(fromyaml(text, text) if text != value and text[:1] in ['[', '{'] else text) -}}
{% endmacro %}
