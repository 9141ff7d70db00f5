{#
    The hooks of a windowed model run in its transaction, before the gates: what they do is judged
    and counted, or rolled back, with the rows. One that runs outside of it would change what has
    been judged, or fail when the rows are there already; one that ends it would leave rows behind
    that no gate has seen.
#}
{% macro _run_hooks_inside(hooks) %}
    {%- set transaction = daybreak._transaction_id() if hooks else none -%}
    {%- for hook in hooks -%}
        {%- set sql = render(hook.sql) | trim -%}
        {%- if sql -%}
            {%- do daybreak._refuse_transaction_control(sql) -%}
            {%- call statement(auto_begin=True) -%}
                {{ sql }}
            {%- endcall -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if hooks and daybreak._transaction_id() != transaction -%}
        {%- do daybreak._stop(
            'a hook of ' ~ model.name ~ ' has ended the transaction in which its window is'
            ~ ' replaced, so rows that nothing has judged may be there: take commit, rollback and'
            ~ ' begin out of what it calls, then build it again'
        ) -%}
    {%- endif -%}
{% endmacro %}

{# Before anything runs; of a hook that holds Jinja the text is known only when its turn comes. #}
{% macro _validate_hooks() %}
    {%- for hook in pre_hooks + post_hooks -%}
        {%- if not hook.transaction -%}
            {%- do daybreak._stop(
                model.name ~ ' has a hook outside its transaction, which could change or lose rows'
                ~ ' after they are judged: let it run inside (no transaction: false, no'
                ~ ' before_begin, no after_commit), or in on-run-start or on-run-end'
            ) -%}
        {%- endif -%}
        {%- do daybreak._refuse_transaction_control(hook.sql) -%}
    {%- endfor -%}
{% endmacro %}

{# Strings, quoted names and comments are left out; `end` and `abort` are DuckDB's other words. #}
{% macro _refuse_transaction_control(sql) %}
    {%- set said = modules.re.sub(
        '(?s)\'(?:[^\']|\'\')*\'|"(?:[^"]|"")*"|--[^\n]*|/\\*.*?\\*/', ' ', sql
    ) -%}
    {%- set found = modules.re.search(
        '(?i)(?:^|;)\\s*(begin|commit|end|rollback|abort|start\\s+transaction)\\b', said
    ) -%}
    {%- if found -%}
        {%- do daybreak._stop(
            model.name ~ " has a hook with '" ~ found[1] ~ "', which ends the transaction in which"
            ~ ' its window is replaced and judged: leave it out, dbt commits when the gates have'
            ~ ' passed'
        ) -%}
    {%- endif -%}
{% endmacro %}

{% macro _transaction_id() %}
    {{- return(run_query('select txid_current()').rows[0][0]) -}}
{% endmacro %}
