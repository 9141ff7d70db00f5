{#
    What publishing needs, made at the start of what the runner starts: a transaction writes one
    database only, so in every one that holds a windowed model. The runner hears that dbt is
    connected, and that nothing of ours is written yet.
#}
{% macro prepare_publications() %}
    {%- if execute -%}
        {%- do log('DAYBREAK_CONNECTED') -%}
        {%- do daybreak._pin_zone() -%}
        {%- set used = daybreak._windowed_models() | map(attribute='database') | unique | list -%}
        {%- for database in used -%}
            {%- set publications = daybreak.publications_relation(database) -%}
            {%- do run_query('create schema if not exists ' ~ publications.without_identifier()) -%}
            {%- do run_query(daybreak._create_publications(publications)) -%}
            {%- do daybreak._upgrade_publications(publications) -%}
        {%- endfor -%}
        {%- if used -%}
            {%- if var('run_id', none) is not none -%}
                {%- do daybreak._require_dispatch() -%}
            {%- endif -%}
            {%- do daybreak._prepare_identity() -%}
        {%- endif -%}
        {%- do daybreak._prepare_schemas() -%}
    {%- endif -%}
{% endmacro %}

{#
    The same where no runner has: in a plain `dbt build`, before the transaction that publishes, as two
    of these would conflict. Threads share one graph, in which the first puts its name: it makes the
    tables, and the others look until they are there.
#}
{% macro _ensure_publications() %}
    {%- set publications = daybreak.publications_relation(model.database) -%}
    {%- set seen = namespace(is_current=daybreak._is_current(publications)) -%}
    {%- if not seen.is_current -%}
        {%- set maker = graph.setdefault('daybreak ' ~ invocation_id, model.unique_id) -%}
        {%- if maker == model.unique_id -%}
            {%- do daybreak.prepare_publications() -%}
            {%- set seen.is_current = true -%}
        {%- endif -%}
        {%- for _ in range(20000) if not seen.is_current -%}
            {%- set seen.is_current = daybreak._is_current(publications) -%}
        {%- endfor -%}
        {%- if not seen.is_current -%}
            {%- do daybreak._stop(
                publications ~ ' is not there, as ' ~ maker ~ ' could not make it: mend what that'
                ~ ' says, then build again'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{% macro _create_publications(relation) %}
    create table if not exists {{ relation }} (
        {%- for name, type in daybreak._columns_of_markers().items() %}
        {{ name }} {{ type }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{% endmacro %}

{% macro _columns_of_markers() %}
    {{- return({
        'model': 'varchar not null',
        'window_start': 'timestamp not null',
        'window_end': 'timestamp not null',
        'run_id': 'varchar',
        'fence': 'bigint not null',
        'code_hash': 'varchar',
        'row_count': 'bigint not null',
        'published_at': 'timestamp not null',
        'verdict': 'varchar',
        'judged_at': 'timestamp',
        'unique_id': 'varchar',
        'relation': 'varchar',
        'contents': 'varchar',
        'contents_since': 'timestamp',
        'checks_hash': 'varchar',
    }) -}}
{% endmacro %}

{#
    Markers that an earlier version has written say neither which relation they are of, which then
    had the name that it has now, nor what their rows were, nor which checks have judged them.
#}
{% macro _upgrade_publications(publications) %}
    {#- Not the adapter, which would begin a transaction that nobody commits. -#}
    {%- if 'checks_hash' not in daybreak._column_names(publications) -%}
        {%- for column in [
            'unique_id varchar', 'relation varchar', 'contents varchar', 'contents_since timestamp',
            'checks_hash varchar',
        ] -%}
            {%- do run_query('alter table ' ~ publications ~ ' add column ' ~ column) -%}
        {%- endfor -%}
        {%- for node in daybreak._windowed_models() if node.database == publications.database -%}
            {%- do run_query(
                'update ' ~ publications ~ ' set unique_id = ' ~ daybreak._literal(node.unique_id)
                ~ ', relation = ' ~ daybreak._literal(daybreak._relation_of(node))
                ~ ', contents_since = published_at where model = ' ~ daybreak._literal(node.name)
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{# Bring the markers that are there up to date, before the first question about them. #}
{% macro _upgrade_what_is_there() %}
    {%- for database in daybreak._windowed_models() | map(attribute='database') | unique -%}
        {%- set publications = daybreak.publications_relation(database) -%}
        {%- if daybreak._is_there(publications) -%}
            {%- do daybreak._upgrade_publications(publications) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{# Asked of the database: dbt's cache of a build is older than a table that the build has made. #}
{% macro _is_there(relation) %}
    {%- set there -%}
        select count(*) from information_schema.tables
        where {{ daybreak._is_named(relation) }}
    {%- endset -%}
    {{- return(run_query(there).rows[0][0] > 0) -}}
{% endmacro %}

{# Is the table of markers there, as this version has it? #}
{% macro _is_current(publications) %}
    {%- set current -%}
        select count(*) from information_schema.columns
        where column_name = 'checks_hash' and {{ daybreak._is_named(publications) }}
    {%- endset -%}
    {{- return(run_query(current).rows[0][0] > 0) -}}
{% endmacro %}

{% macro _is_named(relation) %}
    lower(table_catalog) = lower({{ daybreak._literal(relation.database) }})
    and lower(table_schema) = lower({{ daybreak._literal(relation.schema) }})
    and table_name = {{ daybreak._literal(relation.identifier) }}
{% endmacro %}

{% macro _column_names(relation) %}
    {{- return(run_query('select * from ' ~ relation ~ ' limit 0').column_names) -}}
{% endmacro %}

{#
    A random id beside the markers, made once: a file that is put in the place of another, or the
    same name on another server, is another warehouse.
#}
{% macro _prepare_identity() %}
    {%- set identity = daybreak._identity_relation() -%}
    {%- do run_query('create schema if not exists ' ~ identity.without_identifier()) -%}
    {%- do run_query('create table if not exists ' ~ identity ~ ' (warehouse_id varchar)') -%}
    {%- do run_query(
        'insert into ' ~ identity ~ ' select ' ~ daybreak._literal(invocation_id)
        ~ ' where not exists (select 1 from ' ~ identity ~ ')'
    ) -%}
{% endmacro %}

{# The id of the target's warehouse; none if it has none yet. #}
{% macro _warehouse_id() %}
    {%- set identity = daybreak._identity_relation() -%}
    {%- if not daybreak._is_there(identity) -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set found = run_query('select warehouse_id from ' ~ identity).rows -%}
    {{- return(found[0][0] if found else none) -}}
{% endmacro %}

{% macro _identity_relation() %}
    {{- return(
        daybreak.publications_relation().incorporate(path={'identifier': 'daybreak_warehouse'})
    ) -}}
{% endmacro %}

{# The relation that a node publishes, within its database. #}
{% macro _relation_of(node) %}
    {{- return(node.schema ~ '.' ~ (node.alias or node.name)) -}}
{% endmacro %}
