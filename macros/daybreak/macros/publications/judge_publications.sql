{#
    Judges the windowed models that this invocation has built, and those that it has only tested:
    they were published before, and their verdict was still to come. A check that names windows
    condemns those, also those that this invocation is not about; one that names none leaves its model
    unjudged, and the runner narrows it down until one window is left, which is then condemned.
#}
{% macro judge_publications(results) %}
    {#- With --empty the tests see no rows, so that they pass says nothing. -#}
    {%- if execute and not flags.EMPTY
        and daybreak._has_window_vars() and var('run_id', none) is not none -%}
        {%- set evidence = daybreak._failed_checks(results) -%}
        {%- set publications = [] -%}
        {%- set touched = [] -%}
        {%- for node in daybreak._windowed_models() if daybreak._is_to_judge(node, results) -%}
            {%- set is_confirmed = daybreak._judge_model(node, results, evidence) -%}
            {%- set now = daybreak._this_invocation() -%}
            {%- set is_ours = '(judged_at = ' ~ now ~ ' or (' ~ daybreak._inside_window()
                ~ ' and (published_at = ' ~ now ~ ' or ' ~ daybreak._awaits_verdict(node)
                ~ ' or ' ~ is_confirmed ~ ')))' -%}
            {%- do publications.extend(daybreak._publications_of(node, is_ours)) -%}
            {%- do touched.extend(daybreak._touched_of(node)) -%}
        {%- endfor -%}
        {%- set tables = daybreak._built_tables(results) -%}
        {%- do daybreak._report(publications, evidence, touched, tables) -%}
    {%- endif -%}
    {%- if execute and not flags.EMPTY -%}
        {%- do daybreak._record_first_sights(results) -%}
    {%- endif -%}
{% endmacro %}

{# How the tables, seeds and views stand that this invocation has built. #}
{% macro _built_tables(results) %}
    {%- set built = results | selectattr('status', 'equalto', 'success')
        | map(attribute='node.unique_id') | list -%}
    {%- set nodes = graph.nodes.values() | selectattr('unique_id', 'in', built) -%}
    {{- return(daybreak._standing_tables(nodes, built)) -}}
{% endmacro %}

{% macro _failed_checks(results) %}
    {%- set evidence = [] -%}
    {%- for result in results
        if result.node.resource_type == 'test' and result.status in ['fail', 'warn']
        and result.node.compiled_code -%}
        {%- do evidence.extend(daybreak._evidence(
            result.node, result.node.compiled_code, result.failures,
            'error' if result.status == 'fail' else 'warn'
        )) -%}
    {%- endfor -%}
    {{- return(evidence) -}}
{% endmacro %}

{#
    Was it built, some batches of it at least, or only tested? One that could not be built still holds
    what it held before.
#}
{% macro _is_to_judge(node, results) %}
    {%- for result in results if result.node.unique_id == node.unique_id -%}
        {{- return(result.status in ['success', 'partial success']) -}}
    {%- endfor -%}
    {{- return(daybreak._results_about(node, results) | length > 0) -}}
{% endmacro %}

{#
    Writes the verdicts of a model. Returns the predicate for the markers that had a good one already
    and deserve it: whoever gave it was cut off before it could tell the runner.
#}
{% macro _judge_model(node, results, evidence) %}
    {%- set tested = daybreak._results_about(node, results) -%}
    {%- if daybreak._is_only_judged(node) -%}
        {%- do daybreak._take_back_verdicts(node) -%}
    {%- endif -%}
    {%- set state = namespace(
        is_complete=daybreak._missing_tests(node, tested) | length == 0,
        is_condemned=false,
        bad_windows=[],
    ) -%}
    {%- for result in tested -%}
        {%- if result.status == 'fail' -%}
            {%- set found = evidence | selectattr('test', 'equalto', result.node.unique_id)
                | selectattr('severity', 'equalto', 'error') | first -%}
            {%- if found and found.names_windows -%}
                {%- set named = found.rows | map(attribute='window_start') | list -%}
                {%- do state.bad_windows.extend(named) -%}
            {%- else -%}
                {%- set state.is_complete = false -%}
                {%- set state.is_condemned = true -%}
            {%- endif -%}
        {%- elif result.status not in ['pass', 'warn'] -%}
            {%- set state.is_complete = false -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set is_bad = daybreak._is_bad(state.bad_windows, state.is_condemned) -%}
    {%- set is_to_judge = daybreak._inside_window() ~ ' and ' ~ daybreak._awaits_verdict(node) -%}
    {%- if state.is_complete -%}
        {%- set verdict = 'correct' if daybreak._is_checked(node, tested) else 'unchecked' -%}
        {%- do daybreak._write_verdict(node, verdict, is_to_judge ~ ' and not ' ~ is_bad) -%}
    {%- endif -%}
    {%- if state.bad_windows or state.is_condemned -%}
        {%- do daybreak._write_verdict(node, 'incorrect', is_to_judge ~ ' and ' ~ is_bad) -%}
    {%- endif -%}
    {%- if state.bad_windows -%}
        {#- Whatever was said of these before, and whoever has published them. -#}
        {%- do daybreak._write_verdict(node, 'incorrect', ' and '.join([
            'not ' ~ daybreak._inside_window(),
            daybreak._is_not_newer(),
            daybreak._is_bad(state.bad_windows, false),
        ])) -%}
    {%- endif -%}
    {{- return(
        "(verdict in ('correct', 'unchecked') and " ~ daybreak._may_be_judged(node) ~ ' and not '
        ~ is_bad ~ ')'
        if state.is_complete else 'false'
    ) -}}
{% endmacro %}

{# Whether anything has judged the rows of a model: late_rows looks at others, yet to be read. #}
{% macro _is_checked(node, tested) %}
    {%- for result in tested if daybreak._check_name(result.node) != 'daybreak.late_rows' -%}
        {{- return(true) -}}
    {%- endfor -%}
    {{- return(daybreak._gates_of(node) | length > 0) -}}
{% endmacro %}

{#
    The predicate for the markers that the checks condemn: of the windows that they name, and, if
    one failed and named none, of the window that is all there was to look at.
#}
{% macro _is_bad(bad_windows, is_condemned) %}
    {%- set any_of = [] -%}
    {%- if bad_windows -%}
        {%- set instants = [] -%}
        {%- for window_start in bad_windows -%}
            {%- do instants.append("cast('" ~ window_start ~ "' as timestamp)") -%}
        {%- endfor -%}
        {%- do any_of.append('window_start in (' ~ instants | join(', ') ~ ')') -%}
    {%- endif -%}
    {%- if is_condemned -%}
        {%- set bounds = daybreak._bounds_as('utc') -%}
        {%- do any_of.append(
            '(window_start = ' ~ bounds.start ~ ' and window_end = ' ~ bounds.end ~ ')'
        ) -%}
    {%- endif -%}
    {{- return('(' ~ (any_of | join(' or ') or 'false') ~ ')') -}}
{% endmacro %}

{% macro _write_verdict(node, verdict, condition) %}
    {%- set update -%}
        update {{ daybreak.publications_relation(node.database) }}
        set
            verdict = {{ daybreak._literal(verdict) }},
            judged_at = {{ daybreak._this_invocation() }},
            checks_hash = {{ daybreak._checks_hash_of(node) }}
        where {{ daybreak._is_of(node) }} and {{ condition }}
    {%- endset -%}
    {%- do run_query(update) -%}
{% endmacro %}

{# Is the model one whose windows this invocation is to judge, whatever was said of them before? #}
{% macro _is_only_judged(node) %}
    {{- return(node.unique_id in var('judged', [])) -}}
{% endmacro %}

{# What other checks have said is void; without a new verdict it is not judged. #}
{% macro _take_back_verdicts(node) %}
    {%- do run_query(
        'update ' ~ daybreak.publications_relation(node.database)
        ~ ' set verdict = null, judged_at = null, checks_hash = null where ' ~ daybreak._is_of(node)
        ~ ' and ' ~ daybreak._inside_window() ~ ' and ' ~ daybreak._may_be_judged(node)
    ) -%}
{% endmacro %}

{# The predicate for the markers that may be judged and have no verdict. #}
{% macro _awaits_verdict(node) %}
    {{- return('(verdict is null and ' ~ daybreak._may_be_judged(node) ~ ')') -}}
{% endmacro %}

{#
    The predicate for the markers that may be judged: those of a run, as what a plain build publishes
    stays unverified until somebody asks for its verdict.
#}
{% macro _may_be_judged(node) %}
    {%- set is_asked_for = 'true' if daybreak._is_only_judged(node) else 'run_id is not null' -%}
    {{- return('(' ~ is_asked_for ~ ' and ' ~ daybreak._is_not_newer() ~ ')') -}}
{% endmacro %}

{# Not of a newer run, whose rows the tests that have just run may not have seen. #}
{% macro _is_not_newer() %}
    {%- set fence = var('fence', none) -%}
    {{- return('true' if fence is none else 'fence <= ' ~ (fence | int)) -}}
{% endmacro %}
