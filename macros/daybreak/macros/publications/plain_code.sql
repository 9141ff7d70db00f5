{#
    What tells the code of a plain `dbt build` in its markers, for the runner to know again: a digest
    of the model and its hooks as text, the window at a symbol, of its config, and of the files and
    sources behind it that have no windows. The runner computes the same, in runner/dbt/symbolic.py.
    None where files do not tell all of the code: then nobody knows.
#}
{% macro _plain_code() %}
    {%- set ours = [
        'start_date', 'end_date', 'window_start', 'window_end', 'newest_window', 'run_id', 'fence',
        'code_hashes', 'checks_hashes', 'judged', 'plain_codes',
    ] -%}
    {%- set given = (invocation_args_dict.get('vars') or {}) | reject('in', ours) | list -%}
    {%- set not_in_files = '\\b(run_query|statement|adapter|graph|is_incremental|run_started_at'
        ~ '|invocation_id|thread_id|modules)\\b' -%}
    {%- if given or modules.re.search(not_in_files, model.raw_code) -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- do model.update({'daybreak_symbolic': true}) -%}
    {%- set texts = [render(model.raw_code) | trim] -%}
    {%- for hook in pre_hooks + post_hooks -%}
        {%- do texts.append(render(hook.sql) | trim) -%}
    {%- endfor -%}
    {%- do model.update({'daybreak_symbolic': false}) -%}
    {%- set sql = modules.re.sub('(?m)^\\s*--.*$', '', texts | join('\n')) -%}
    {%- set behind = daybreak._code_behind(sql) -%}
    {%- if behind is none -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set told = texts + [daybreak._plain_config(), behind] -%}
    {{- return('plain:' ~ local_md5(tojson(told, sort_keys=true))) -}}
{% endmacro %}

{#
    The hash of the code that makes the rows: the runner's, unless this invocation has parsed anew and
    found other code than the runner has planned with, or there is no runner.
#}
{% macro _code_of_rows() %}
    {%- set planned = (var('code_hashes', none) or {}).get(model.unique_id) -%}
    {%- set expected = (var('plain_codes', none) or {}).get(model.unique_id) -%}
    {%- if var('run_id', none) is not none and expected is none -%}
        {{- return(planned) -}}
    {%- endif -%}
    {%- set found = daybreak._plain_code() -%}
    {{- return(planned if found is not none and found == expected else found) -}}
{% endmacro %}

{% macro _plain_config() %}
    {%- set told = {'event_time_as': (model.config.get('meta') or {}).get('event_time_as')} -%}
    {%- for name in [
        'batch_size', 'event_time', 'incremental_strategy', 'materialized', 'on_schema_change',
        'sql_header', 'unique_key', 'version_column',
    ] -%}
        {%- do told.update({name: model.config.get(name)}) -%}
    {%- endfor -%}
    {{- return(told) -}}
{% endmacro %}

{# The files and sources behind the nodes that this model's SQL names, as far as windowed models. #}
{% macro _code_behind(sql) %}
    {%- set found = {} -%}
    {%- set next = namespace(ids=[]) -%}
    {%- for unique_id in model.depends_on.nodes if unique_id in graph.nodes -%}
        {%- set node = graph.nodes[unique_id] -%}
        {%- if (node.relation_name or '__dbt__cte__' ~ node.alias) in sql -%}
            {%- do next.ids.append(unique_id) -%}
        {%- endif -%}
    {%- endfor -%}
    {#- No path is longer than the number of nodes. -#}
    {%- for _ in graph.nodes if next.ids -%}
        {%- set above = [] -%}
        {%- for unique_id in next.ids if unique_id not in found -%}
            {%- if unique_id in graph.sources -%}
                {%- do found.update({unique_id: graph.sources[unique_id].relation_name}) -%}
            {%- elif unique_id in graph.nodes
                and not daybreak._is_windowed(graph.nodes[unique_id]) -%}
                {%- if not daybreak._is_told_by_its_file(graph.nodes[unique_id])
                    or not daybreak._stands_as_its_file(graph.nodes[unique_id]) -%}
                    {{- return(none) -}}
                {%- endif -%}
                {%- do found.update({unique_id: graph.nodes[unique_id].checksum.checksum}) -%}
                {%- do above.extend(graph.nodes[unique_id].depends_on.get('nodes', [])) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set next.ids = above -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{#
    Is what stands in the warehouse what its file says? Of a plain build we know it only of what this
    invocation has built itself: a view that another has left there may be of another file.
#}
{% macro _stands_as_its_file(node) %}
    {{- return(
        var('run_id', none) is not none
        or node.config.get('materialized') == 'ephemeral'
        or node.unique_id in selected_resources
    ) -}}
{% endmacro %}

{# Is a node's file all its code, with no var, macro or file too large to be digested behind it? #}
{% macro _is_told_by_its_file(node) %}
    {%- set known = '\\{\\{\\s*(?:ref|source|config|daybreak\\.(?:in_window|window_key|window_spine'
        ~ '|utc_to_local|local_to_utc|landed_in_window|landed_date))\\s*\\(' -%}
    {{- return(
        node.checksum.name == 'sha256'
        and modules.re.findall('\\{[{%]', node.raw_code) | length
            == modules.re.findall(known, node.raw_code) | length
        and not modules.re.search('\\b(?:env_)?var\\s*\\(', node.raw_code)
    ) -}}
{% endmacro %}
