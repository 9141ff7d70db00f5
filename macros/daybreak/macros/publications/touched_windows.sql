{#
    A merge may take a row over from another window: a key whose event time has changed. Then that
    window no longer holds what its marker says.
#}

{#
    The keys of the windows outside this one that hold rows which a merge will take over, as
    literals. To be asked before it: afterwards their event times are the new ones.
#}
{% macro _windows_to_touch(target_relation, new_rows, keys, version) %}
    {%- set touched -%}
        select distinct cast(t.daybreak_window_key as varchar) as window_key
        from (
            select
                {{ keys | join(', ') }},
                {{ version }},
                {{ daybreak._window_key_of(model) }} as daybreak_window_key
            from {{ target_relation }}
            where not {{ daybreak._in_window_of(model) }}
        ) as t
        inner join {{ new_rows }} as s on {{ daybreak._on_keys(keys, 't', 's') }}
        where t.{{ version }} is null or s.{{ version }} >= t.{{ version }}
        order by 1
    {%- endset -%}
    {%- set kind = 'timestamp' if config.get('batch_size') == 'hour' else 'date' -%}
    {%- set literals = [] -%}
    {%- for row in run_query(touched).rows -%}
        {%- set window_key = daybreak._literal(row['window_key']) -%}
        {%- do literals.append('cast(' ~ window_key ~ ' as ' ~ kind ~ ')') -%}
    {%- endfor -%}
    {{- return(literals) -}}
{% endmacro %}

{#
    Let the markers of touched windows say what these hold now, in the transaction that has changed
    it. Who published them stays: what is new are the rows, so readers are behind and the verdict is
    still to come.
#}
{% macro _rewrite_touched(relation, touched) %}
    {%- if touched -%}
        {%- do run_query(daybreak._touched_markers(relation, touched)) -%}
    {%- endif -%}
{% endmacro %}

{% macro _touched_markers(relation, touched) %}
    {%- set is_touched = daybreak._window_key_of(model) ~ ' in (' ~ touched | join(', ') ~ ')' -%}
    update {{ daybreak.publications_relation(model.database) }}
    set
        row_count = touched.row_count,
        contents = touched.contents,
        contents_since = {{ daybreak._this_invocation() }},
        verdict = null,
        judged_at = null,
        checks_hash = null
    from (
        select
            keys.window_key,
            coalesce(found.row_count, 0) as row_count,
            coalesce(found.contents, {{ daybreak._no_contents() }}) as contents
        from (values ({{ touched | join('), (') }})) as keys (window_key)
        left join ({{ daybreak._contents_by_window(model, relation, is_touched) }}) as found
            on keys.window_key = found.window_key
    ) as touched
    where {{ daybreak._is_of(model) }}
        and {{ daybreak._window_key_of_marker(model) }} = touched.window_key
{% endmacro %}

{# The window key of the rows that a marker speaks of. #}
{% macro _window_key_of_marker(node) %}
    {{- return(
        'window_start' if node.config.batch_size == 'hour'
        else 'cast(' ~ daybreak.utc_to_local('window_start') ~ ' as date)'
    ) -}}
{% endmacro %}

{# The markers of other windows whose rows this invocation has changed, for the report. #}
{% macro _touched_of(node) %}
    {%- set is_touched = 'contents_since = ' ~ daybreak._this_invocation() ~ ' and published_at <> '
        ~ daybreak._this_invocation() -%}
    {{- return(
        daybreak._publications_of(node, is_touched)
        if node.config.incremental_strategy == 'merge' else []
    ) -}}
{% endmacro %}
