"""What the rules find in a text, what they leave alone, and where they point."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from runner.lint.facts import Facts
from runner.lint.judge import judge
from runner.lint.rules import RULES, LintFinding, Severity
from tests.conftest import REPOSITORY

PARENTS = {"daily_sales": "sold_on"}
WINDOWED = Facts(
    materialized="incremental",
    incremental_strategy="overwrite_window",
    event_time="sold_on",
    windowed_parents=PARENTS,
    is_whole=True,
)
# Built one window at a time, it brings none together, whatever it does.
ALONE = replace(WINDOWED, window_var="day")
READ = "select * from {{ ref('lines') }} where {{ daybreak.in_window('sold_on') }}"


def found(text: str, facts: Facts = WINDOWED) -> list[LintFinding]:
    return judge(text, facts)


def rules(text: str, facts: Facts = WINDOWED) -> list[str]:
    return [finding.rule for finding in found(text, facts)]


def selecting(expressions: str, rest: str = "") -> str:
    read = "from {{ ref('lines') }} where {{ daybreak.in_window('sold_on') }}"
    return f"select {expressions} {read} {rest}"


# The page of the rules

PAGE = (REPOSITORY / "docs" / "rules.md").read_text()
SECTIONS = re.findall(r"^## (DB\d\d): (.*?)$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLE = r"^{}:\n\n```sql\n(.*?)^```"


def example(section: str, kind: str) -> str:
    (text,) = re.findall(EXAMPLE.format(kind), section, re.MULTILINE | re.DOTALL)
    return text


def test_the_page_has_every_rule_in_order():
    titles = [(code, title) for code, title, _ in SECTIONS]
    assert titles == [(r.code, r.title) for r in RULES.values() if r.code != "DB00"]


@pytest.mark.parametrize(("code", "_title", "section"), SECTIONS, ids=[s[0] for s in SECTIONS])
def test_the_pages_bad_example_is_found_and_its_good_one_is_clean(
    code: str, _title: str, section: str
):
    facts = Facts(windowed_parents=PARENTS)
    assert code in rules(example(section, "Bad"), facts)
    assert rules(example(section, "Good"), facts) == []
    says = f"**{RULES[code].severity}"
    assert section.strip().startswith(says)


def test_the_pages_noqa_silences():
    (line,) = re.findall(r"^    now\(\) as loaded_at.*noqa.*$", PAGE, re.MULTILINE)
    text = f"select\n{line}\n    sold_on\nfrom x where {{{{ daybreak.in_window('sold_on') }}}}"
    assert rules(text) == []
    assert rules(
        text.split(" --", 1)[0] + "\nsold_on from x where {{ daybreak.in_window('x') }}"
    ) == ["DB01"]


# The project's own models


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "models").rglob("*.sql")), ids=lambda path: path.stem
)
def test_the_demos_models_are_clean_even_if_all_of_them_were_windowed(path: Path):
    text = path.read_text()
    facts = Facts(
        materialized="incremental", incremental_strategy="overwrite_window", is_whole=True
    )
    assert set(rules(text, facts)) <= {"DB04"}  # views do not filter
    if "in_window" in text:
        assert rules(text, facts) == []


# Which models


@pytest.mark.parametrize("materialized", ["view", "table", "ephemeral"])
def test_what_no_window_reads_is_not_judged(materialized: str):
    text = "select now() from {{ this }} limit 1"
    assert rules(text, Facts(materialized=materialized, is_whole=True)) == []


@pytest.mark.parametrize("materialized", ["view", "ephemeral"])
def test_of_a_view_that_windows_read_what_is_other_rows_at_each_reading_counts(materialized: str):
    text = "select now() as at, * from {{ ref('daily_sales') }}\nlimit 1"
    facts = Facts(materialized, readers=("sales", "traffic"), windowed_parents=PARENTS)
    clock, limit = found(text, facts)
    assert (clock.rule, clock.severity) == ("DB01", Severity.ERROR)
    assert clock.message.startswith("now, read by sales and 1 more: a replay gives other rows")
    assert (limit.rule, limit.severity) == ("DB06", Severity.WARN)
    assert rules(text.replace("as at,", "as at, -- noqa: DB01 shown to nobody\n"), facts) == [
        "DB06"
    ]
    assert rules("select sold_on from {{ ref('daily_sales') }}", facts) == []
    assert rules(text, replace(facts, materialized="table")) == []


def test_a_config_in_the_text_wins_over_the_last_parse():
    text = f"{{{{ config(materialized='view') }}}}\n{READ} limit 1"
    assert rules(text) == []
    assert rules(text.replace("view", "incremental"), ALONE) == ["DB06"]


def test_microbatch_filters_by_itself():
    text = "{{ config(incremental_strategy='microbatch') }} select * from {{ ref('daily_sales') }}"
    assert rules(text) == []


def test_without_a_parse_only_what_the_text_says_counts():
    assert rules("{{ config(event_time='sold_on') }} select now()", Facts()) == ["DB01"]
    assert rules("select now()", Facts()) == []


# DB01


@pytest.mark.parametrize(
    "expression",
    [
        "now()",
        "NOW ()",
        "current_date",
        "current_timestamp",
        "current_timestamp()",
        "today()",
        "random()",
        "uuid()",
        "gen_random_uuid()",
        "get_current_timestamp()",
        "nextval('s')",
        "cast('{{ run_started_at }}' as timestamp)",
        "'{{ modules.datetime.datetime.now() }}'",
        "'{{ modules.datetime.datetime.utcnow().date() }}'",
        "{{ dbt.current_timestamp() }}",
        "'{{ dbt_date.now() }}'",
        "{{ modules.time.time() }}",
        "'{{ var('run_id') }}'",
        "{{ var('fence', 0) }}",
        "age(sold_on)",
        "age(least(sold_on, paid_on))",
        "main.now()",
        "system.main.now()",
        '"now"()',
        'pg_catalog."Random" ()',
    ],
)
def test_clock_and_chance_are_found(expression: str):
    assert rules(selecting(f"line_id, {expression} as x, sold_on")) == ["DB01"]


def test_a_sample_is_chance():
    assert rules(READ + " using sample 10%") == ["DB01"]


@pytest.mark.parametrize(
    "expression",
    [
        "transaction_timestamp",
        "t.now",
        "'now()'",
        '"current_date"',
        "uuid",
        "cast(id as uuid)",
        "random_id",
        "x -- now()\n",
        "/* current_date */ x",
        "'{{ modules.datetime.timedelta(days=1) }}'",
        "x {# run_started_at #}",
        "x -- {{ run_started_at }}\n",
        "age(sold_on, paid_on)",
        "main.current_date",
        "t.now()",
        '"now"',
        "'{{ var('currency') }}'",
    ],
)
def test_what_only_looks_like_a_clock_is_left_alone(expression: str):
    assert rules(selecting(f"{expression}, sold_on")) == []


VOLATILE = replace(WINDOWED, volatile=("loaded_at",))


@pytest.mark.parametrize(
    "expression",
    [
        "current_timestamp as loaded_at",
        "now() as Loaded_At",
        'now() as "loaded_at"',
        "left('a', 1) as a, coalesce(x, cast(now() as timestamp), y) as loaded_at, amount",
        "(select max(now()) from {{ ref('lines') }}) as amount, now() as loaded_at",
        "'{{ run_started_at }}' as loaded_at",
        "case when amount > 0 then current_date end as loaded_at",
    ],
)
def test_a_clock_is_free_in_a_column_that_is_meant_to_differ(expression: str):
    kept = expression.replace("(select max(now()) from {{ ref('lines') }}) as amount, ", "")
    assert rules(selecting(kept), VOLATILE) == []
    assert rules(selecting(kept)) == ["DB01"]
    if kept != expression:
        assert rules(selecting(expression), VOLATILE) == ["DB01"]


@pytest.mark.parametrize(
    "text",
    [
        selecting("now() as sold_at, 1 as loaded_at"),
        selecting("now(), 1 as loaded_at"),
        selecting("row_number() over (order by random()) as loaded_at"),
        selecting("1 as loaded_at", "and sold_on < current_date"),
        "with loaded_at as (select now() from {{ ref('lines') }}) " + selecting("1 as a"),
    ],
)
def test_a_clock_beside_a_column_that_is_meant_to_differ_is_found(text: str):
    assert "DB01" in rules(text, VOLATILE)


def test_the_text_says_itself_which_columns_are_meant_to_differ():
    config = "{{ config(meta={'volatile': ['loaded_at']}) }} "
    assert rules(config + selecting("now() as loaded_at")) == []


def test_a_set_statement_may_hold_a_clock():
    assert rules("{% set today = run_started_at.date() %}" + READ) == ["DB01"]
    aliased = "{% set dt = modules.datetime.datetime %}{% set at = dt.now() %}"
    assert rules(aliased + READ) == ["DB01"]


def test_a_name_of_ones_own_is_no_clock():
    parsed = "modules.datetime.datetime.fromisoformat(var('window_start'))"
    assert rules("{% set today = " + parsed + " %}" + READ) == []
    assert rules("with today(day) as (select 1), now(at) as (select 2) " + READ) == []


def test_an_apostrophe_in_a_captured_text_hides_nothing():
    note = "{% set note %}the day's window{% endset %}"
    assert rules(note + READ) == []
    assert rules(note + selecting("now() as at, sold_on")) == ["DB01"]


# DB02


@pytest.mark.parametrize(
    "text",
    [
        READ + " and sold_on > (select max(sold_on) from {{ this }})",
        READ + "{% if is_incremental() %} and id not in (select id from {{ this }}) {% endif %}",
        "{% set q = 'select max(x) from ' ~ this %}" + READ,
        "{% set q %} select max(x) from {{ this }} {% endset %}" + READ,
        READ.replace("where", "left join {{- this -}} as t using (id) where"),
        READ.replace("where", "join {{ this.schema }}.{{ this.identifier }} using (id) where"),
        READ + " and a in (select a from {{ target.database }}.{{ this.schema }}.{{ this.name }})",
        READ + " and a in (select a from {{ this.schema ~ '.' ~ this.table }})",
        READ + " and a in (select a from marts.{{ adapter.quote(this.name) }} as old)",
        "{% set t = this %}" + READ + " and a in (select a from {{ t }})",
        "{% set t = this.name %}{% set u = t %}" + READ.replace("where", "join x.{{ u }} where"),
        "{% set t = this %}{% set q = 'select max(x) from ' ~ t %}" + READ,
    ],
)
def test_reading_its_own_table_is_found(text: str):
    assert rules(text) == ["DB02"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ config(post_hook='analyze {{ this }}') }}" + READ,
        selecting("'{{ this }}' as table_name, sold_on"),
        selecting("'{{ this.name }}' as table_name, sold_on"),
        "-- from {{ this }}\n" + READ,
        "{# from {{ this }} #}" + READ,
        "{% set columns = adapter.get_columns_in_relation(this) %}" + READ,
        READ.replace("where", "join {{ this.schema }}.stores using (store_id) where"),
        READ.replace("where", "join {{ this.schema ~ '.stores' }} using (store_id) where"),
        "{% set s = this.schema %}" + READ.replace("where", "join {{ s }}.stores as s where"),
        "{% set a = adapter.get_columns_in_relation(this) %}{% set b = 'select ' ~ a %}" + READ,
        "{% set t = this.name %}" + selecting("'{{ t }}' as table_name, sold_on"),
    ],
)
def test_naming_its_own_table_is_not_reading_it(text: str):
    assert rules(text) == []


def test_a_watermark_is_called_one():
    (finding,) = found(READ + " and sold_on > (select max(sold_on) from {{ this }})")
    assert finding.message.startswith("a watermark")


# DB03, DB04, DB05


def test_what_dbt_appends_by_default_is_append():
    nothing_said = Facts(materialized="incremental", is_whole=True)
    assert rules(READ, nothing_said) == ["DB03"]
    keyed = "{{ config(unique_key='line_id') }}" + READ
    assert rules(keyed, nothing_said) == []


def test_in_window_in_a_comment_is_none():
    assert rules("-- {{ daybreak.in_window('x') }}\nselect * from {{ ref('lines') }}") == ["DB04"]


def test_a_macro_that_may_filter_makes_a_warning_unless_it_is_known_to():
    text = "select * from {{ windowed_lines('sold_on') }}"
    (finding,) = found(text)
    assert (finding.rule, finding.severity) == ("DB04", Severity.WARN)
    assert "windowed_lines" in finding.message
    known = Facts("incremental", "overwrite_window", reaches_in_window=True, is_whole=True)
    assert rules(text, known) == []


def test_a_merge_says_what_it_lacks():
    text = "{{ config(incremental_strategy='merge') }}" + READ
    (finding,) = found(text)
    assert finding.message.startswith("merge without unique_key and version_column")
    whole = "{{ config(incremental_strategy='merge', unique_key=['a', 'b'], version_column='v') }}"
    assert rules(whole + READ) == []


# DB06

KEYED = replace(ALONE, event_time=None, windowed_parents={}, keys=(("line_id",),))


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        (READ + " limit 3", Severity.ERROR),
        (READ + " order by 'x' limit 3", Severity.ERROR),
        (READ + " order by quantity limit 3", Severity.WARN),
        (selecting("row_number() over () as n"), Severity.ERROR),
        (selecting("row_number() over (partition by a order by 1) as n"), Severity.ERROR),
        (selecting("row_number() over (order by sold_at) as n"), Severity.WARN),
        (selecting("lag(x) over (partition by a order by sold_at) as n"), Severity.WARN),
        (selecting("rank() over () as n"), Severity.ERROR),
        (selecting("any_value(x) over (partition by a) as n"), Severity.WARN),
        (selecting("row_number() over w as n", "window w as (partition by a)"), Severity.ERROR),
        (selecting("lag(x) over w as n", "window w as (order by sold_at)"), Severity.WARN),
        (selecting("distinct on (a) a, b"), Severity.ERROR),
        (selecting("any_value(x) as x"), Severity.WARN),
        (selecting("first(x) as x"), Severity.WARN),
        (selecting("list(x) as x"), Severity.WARN),
        (selecting("string_agg(x, ',') as x"), Severity.WARN),
        (selecting("array_agg(distinct x) filter (where y) as x"), Severity.WARN),
        (selecting("*", "qualify row_number() over (partition by a) = 1"), Severity.ERROR),
        (selecting("nth_value(x, 2) over (order by sold_at) as n"), Severity.WARN),
        (selecting("first(x) filter (where y) over (order by sold_at) as n"), Severity.WARN),
        (selecting("sum(x) over (order by a rows unbounded preceding) as n"), Severity.WARN),
        (selecting("count(*) filter (where y) over (rows 2 preceding) as n"), Severity.ERROR),
        (
            selecting("avg(x) over w as n", "window w as (order by a rows 2 preceding)"),
            Severity.WARN,
        ),
        (selecting("arg_max(x, amount) as x"), Severity.WARN),
        (selecting("store_id, min_by(x, sold_at) as x", "group by store_id"), Severity.WARN),
        (selecting("arg_min(x, sold_at) over (partition by a) as x"), Severity.WARN),
        (selecting("mode(x) as x"), Severity.WARN),
        (f"({READ}) union all ({READ}) limit 5", Severity.ERROR),
        (f"({READ}) limit 5", Severity.ERROR),
        (f"({READ}) union all by name {READ} order by quantity limit 5", Severity.WARN),
        (READ + "{% if target.name == 'ci' %} limit 100 {% endif %}", Severity.WARN),
        (READ + "{% if target.name == 'prod' %} {% else %} limit 1 {% endif %}", Severity.WARN),
        (READ + "{% if is_small %} limit 100 {% endif %}", Severity.ERROR),
        (selecting("(select x from p where p.id = lines.product_id limit 1) as x"), Severity.WARN),
        (selecting("(select x from p where p.id = 7 limit 1) as x"), Severity.ERROR),
        (selecting("(select x from p where p.since < lines.sold_on limit 1) as x"), Severity.ERROR),
        (selecting("(select x from p where p.id = lines.product_id limit 2) as x"), Severity.ERROR),
        (selecting("distinct on (a, b) a, b, c"), Severity.ERROR),
    ],
)
def test_an_order_that_is_none_or_not_total_is_found(text: str, severity: Severity):
    (finding,) = found(text, KEYED)
    assert (finding.rule, finding.severity) == ("DB06", severity)


@pytest.mark.parametrize(
    "text",
    [
        READ + " order by quantity, line_id limit 3",
        READ + " limit 0",
        selecting("sum(x) as x", "limit 1"),
        selecting("a, line_id", "order by 1, 2 limit 3"),
        selecting("*", "order by all limit 3"),
        selecting("row_number() over (partition by line_id order by version desc) as n"),
        selecting("row_number() over (order by sold_at, line_id) as n"),
        selecting("row_number() over (order by {{ keys() }}) as n, '{{ in_window }}'"),
        selecting("row_number() over ({{ newest_first() }}) as n"),
        selecting("rank() over (order by amount) as n"),
        selecting("lag(x) over w as n", "window w as (partition by a order by line_id)"),
        selecting("sum(x) over w as n", "window w as (order by sold_at)"),
        selecting("sum(x) over (order by sold_at) as n"),
        selecting("sum(x) over () as n"),
        selecting("list(x order by x) as x"),
        selecting("list_sort(list(x)) as x"),
        selecting("first(x order by line_id) as x"),
        selecting("string_agg(x, ',' order by x) as x"),
        selecting(
            "store_id, row_number() over (order by sum(x), store_id) as n", "group by all"
        ).replace("group by all", "group by store_id"),
        READ + " and exists (select 1 from y limit 1)",
        selecting("distinct on (a, b) a, b as c, 1 as d"),
        selecting("distinct on (1) date_trunc('week', a) as week"),
        selecting("sum(x) over (order by a, line_id rows 2 preceding) as n"),
        selecting("sum(x) over (rows between unbounded preceding and unbounded following) as n"),
        selecting("sum(x) over (order by a range unbounded preceding) as n"),
        selecting("max_by(x, line_id) as x"),
        selecting("line_id, arg_max(x, amount) as x", "group by all"),
        selecting("arg_max(x, a) over (partition by line_id) as x"),
        selecting("mode(x order by x) as x"),
        f"({READ}) union all ({READ}) order by line_id limit 5",
    ],
)
def test_a_total_order_is_left_alone(text: str):
    assert rules(text, KEYED) == []


def test_what_rows_were_grouped_by_is_their_key():
    text = """
    with daily as (
        select store_id as shop_id, sold_on, sum(amount) as amount
        from {{ ref('lines') }} where {{ daybreak.in_window('sold_on') }} group by 1, 2
    ),
    kept as (select * from daily where amount > 0)
    select shop_id, lag(amount) over (partition by shop_id order by sold_on) as n from kept
    """
    assert rules(text, ALONE) == []
    assert rules(text.replace("partition by shop_id ", ""), ALONE) == ["DB06"]
    assert rules(text.replace("group by 1, 2", "group by all"), ALONE) == []
    assert rules(text.replace("group by 1, 2", "group by store_id, sold_on"), ALONE) == []
    joined = text.replace("from kept", "from kept join other using (shop_id)")
    assert rules(joined, ALONE) == ["DB06"]  # a join may repeat rows


# DB07

BOUNDS = ("'{{ var(\"window_start\") }}'", "'{{ var(\"window_end\") }}'")


@pytest.mark.parametrize(
    "predicate",
    [
        "sold_at between {} and {}",
        "cast(sold_at as date) between cast({} as date) and cast({} as date)",
        "sold_at >= {} and x and sold_at <= {}",
        "x and (sold_at <= {1} and sold_at >= {0})",
        "sold_on between {{{{ a }}}} and {{{{ b }}}}",
        "{} <= sold_at and sold_at <= {}",
        "{1} >= sold_at and {0} <= sold_at",
        "sold_at >= {} and {} >= sold_at",
    ],
)
def test_a_closed_window_is_found(predicate: str):
    assert rules(READ + " and " + predicate.format(*BOUNDS)) == ["DB07"]


@pytest.mark.parametrize(
    "predicate",
    [
        "sold_at >= {} and sold_at < {}",
        "sold_at >= {} and other <= {}",
        "sold_at >= {} or sold_at <= {}",
        "{} <= sold_at and sold_at < {}",
        "{} <= sold_at and {} <= paid_at",
        "opened_at <= {} and {} <= sold_at",
        "sold_on between valid_from and valid_to",
        "quantity between 1 and 5",
        "quantity between {{{{ var('low') }}}} and {{{{ var('high') }}}}",
        "sold_on between date '2026-01-01' and date '2026-12-31'",
        "sold_on between '{{{{ var('reform_from') }}}}' and '{{{{ var('reform_to') }}}}'",
    ],
)
def test_what_is_no_closed_window_is_left_alone(predicate: str):
    assert rules(READ + " and " + predicate.format(*BOUNDS)) == []


# DB08


def reading(parent: str, rest: str) -> str:
    return f"with parent as (select * from {{{{ ref('daily_sales') }}}} {parent}) {rest}"


IN_WINDOW = "where {{ daybreak.in_window('sold_on') }}"
WINDOW_OF_X = "where {{ daybreak.in_window('x.sold_on') }}"
READ_BESIDE_X = f"select * from parent cross join x {WINDOW_OF_X}"


@pytest.mark.parametrize(
    "text",
    [
        reading("", f"select * from parent cross join x {IN_WINDOW}").replace(
            "in_window('sold_on')", "in_window('x.sold_on')"
        ),
        reading("", f"select a from x where a in (select a from parent) -- {IN_WINDOW}\n")
        + " and {{ daybreak.in_window('x.sold_on') }}",
        reading("", f"select * from x join parent on x.sold_on = parent.sold_on - 3 {WINDOW_OF_X}"),
        reading("", f"select * from x join parent on sold_on = x.d - interval 1 day {WINDOW_OF_X}"),
        reading("where sold_on in (select max(d) - 1 from y)", READ_BESIDE_X),
        reading("where store_id = {{ var('store') }}", READ_BESIDE_X),
        reading("{% set s = var('store') %} where store_id = {{ s }}", READ_BESIDE_X),
        reading("where {{ only_open('sold_on') }}", READ_BESIDE_X),
    ],
)
def test_a_parent_read_whole_is_found(text: str):
    assert rules(text) == ["DB08"]


@pytest.mark.parametrize(
    "text",
    [
        reading(IN_WINDOW, "select * from parent"),
        reading("", f"select * from parent {IN_WINDOW}"),
        reading("", f", b as (select * from parent) select * from b {IN_WINDOW}"),
        reading("", f"select * from x join parent on x.sold_on = parent.sold_on {IN_WINDOW}"),
        reading("", f"select * from x join parent using (sold_on) {IN_WINDOW}"),
        reading(
            "", f"select * from x join parent on x.d = cast(parent.sold_on as date) {WINDOW_OF_X}"
        ),
        reading("where sold_on >= '{{ var(\"window_start\") }}'", READ_BESIDE_X),
        "{% set here = in_window('sold_on') %}" + reading("where {{ here }}", READ_BESIDE_X),
        "{% set since = var('window_start') %}"
        + reading("where sold_on >= '{{ since }}'", READ_BESIDE_X),
        reading("where sold_on in (select d from y)", READ_BESIDE_X),
        reading("{% if true %}" + IN_WINDOW + "{% endif %}", "select * from parent"),
        READ.replace("lines", "a_table_without_windows"),
    ],
)
def test_a_parent_kept_to_the_window_is_left_alone(text: str):
    assert rules(text) == []


def test_a_macro_that_is_known_to_filter_keeps_to_the_window():
    text = reading("where {{ only_open('sold_on') }}", READ_BESIDE_X)
    assert rules(text, replace(WINDOWED, reaches_in_window=True)) == []
    assert rules(text.replace("only_open", "var"), replace(WINDOWED, reaches_in_window=True)) == [
        "DB08"
    ]


def test_a_noqa_with_a_reason_silences_its_rule_and_no_other():
    text = selecting("now() as a, random() as b -- noqa: DB01 a toy\n, any_value(x) as x")
    assert rules(text, ALONE) == ["DB06"]
    assert rules(text.replace("DB01 a", "DB06 a"), ALONE) == ["DB01", "DB01", "DB06"]
    assert rules(text.replace("noqa: DB01", "NOQA: lt05, db01"), ALONE) == ["DB06"]


@pytest.mark.parametrize(
    "noqa", ["noqa: DB01", "noqa: db01", "noqa", "noqa: DB01, LT05", "noqa:DB01 -"]
)
def test_a_noqa_without_a_reason_silences_nothing_and_says_so(noqa: str):
    text = f"select\n    now() as a -- {noqa}\nfrom x where {{{{ daybreak.in_window('sold_on') }}}}"
    first, second = found(text)
    assert (first.rule, first.line, first.column) == ("DB01", 2, 5)
    assert (second.rule, second.line, second.column, second.severity) == (
        "DB00",
        2,
        text.splitlines()[1].index("noqa") + 1,
        Severity.WARN,
    )


def test_a_noqa_behind_a_config_of_several_lines_is_about_it():
    text = "{{\n  config(incremental_strategy='append')\n}} -- noqa: DB03 a log\n" + READ
    assert rules(text) == []


# Where


def test_lines_and_columns_hold_behind_jinja_of_several_lines():
    text = (
        "{{ config(\n    event_time='sold_on',\n) -}}\n\n{# a\n comment #}\n"
        "{%- for x in [1] %}\nselect {{ x }}, now() as ä\n{%- endfor %}\n"
        "from {{ ref('lines') }} where {{ daybreak.in_window('sold_on') }}\nlimit 5"
    )
    places = [(one.rule, one.line, one.column) for one in found(text, ALONE)]
    lines = text.splitlines()
    assert places == [("DB01", 8, lines[7].index("now") + 1), ("DB06", 11, 7)]


def test_line_ends_of_other_systems_shift_nothing():
    text = "{# a\r\nb #}\r\nselect\r\n    now() as a,\r\n    '{{ 'x' }}' as b\r\nfrom x\r\n"
    text += "where {{ daybreak.in_window('sold_on') }}\r\nlimit 5"
    places = [(one.rule, one.line, one.column) for one in found(text, ALONE)]
    assert places == [("DB01", 4, 5), ("DB06", 8, 7)]


def test_branches_that_do_not_fit_together_are_read_apart():
    text = (
        "select line_id from x {% if a %} where {{ daybreak.in_window('d') }} "
        "{% else %} where {{ daybreak.in_window('e') }} limit 3 {% endif %}"
    )
    assert rules(text, ALONE) == ["DB06"]


@pytest.mark.parametrize("text", ["", "{{ broken", "select 'open", "select from where ((", "{% if"])
def test_what_cannot_be_read_is_no_crash(text: str):
    assert set(rules(text)) <= {"DB04", "DB09"}


# DB09


@pytest.mark.parametrize(
    "text",
    [
        selecting("case {{ sizes_of('amount') }} end as size"),
        READ + " and",
        "select a from {{ ref('lines') }} strange syntax here",
        READ + "; " + READ,
    ],
)
def test_text_that_no_rule_can_parse_is_said_once(text: str):
    said = [one for one in found(text) if one.rule == "DB09"]
    assert [(one.line, one.column, one.severity) for one in said] == [(1, 1, Severity.WARN)]
    assert "DB06 to DB08, DB11, DB12, DB14 and DB15 were not judged" in said[0].message
    view = Facts("view", readers=("sales",))
    assert "DB06, DB12 and DB15 were not judged" in found(text, view)[0].message
    silent = f"-- noqa: DB09 proved by hand\n{text}"
    assert "DB09" not in rules(silent)


@pytest.mark.parametrize(
    "text",
    [
        READ + " {{ dbt_utils.group_by(3) }}\nlimit 3",
        "{{ importing('lines') }}\n" + READ + "\nlimit 3",
        READ + " {{ 'and amount > 0' if var('is_strict') }}\nlimit 3",
        selecting("a as b {{ more() }}, c {{ and_more() }} {{ and_more() }}") + "\nlimit 3",
        READ + "\nlimit 3; -- the end",
    ],
)
def test_a_clause_that_jinja_makes_hides_no_other(text: str):
    last = text.count("\n") + 1
    assert [(one.rule, one.line) for one in found(text, ALONE)] == [("DB06", last)]


def test_a_query_that_a_macro_makes_is_not_judged():
    known = replace(WINDOWED, reaches_in_window=True)
    assert rules("{{ windowed('lines') }}", known) == ["DB09"]


# DB10


@pytest.mark.parametrize(
    "hook",
    [
        "{'sql': 'checkpoint', 'transaction': false}",
        "['analyze {{ this }}', {'sql': 'checkpoint', 'transaction': False}]",
        "after_commit('checkpoint')",
        "before_begin('checkpoint')",
        "'commit'",
        "'analyze {{ this }}; ROLLBACK'",
        "['/* so */ start transaction', 'select 1']",
        "'begin transaction; select 1'",
    ],
)
@pytest.mark.parametrize("place", ["pre_hook", "post_hook"])
def test_a_hook_outside_the_transaction_is_found(hook: str, place: str):
    text = f"{{{{ config({place}={hook}) }}}}\n{READ}"
    assert rules(text) == ["DB10"]
    assert rules(text, replace(WINDOWED, incremental_strategy="delete+insert")) == []


@pytest.mark.parametrize(
    "hook",
    [
        "'analyze {{ this }}'",
        "\"insert into log values ('; commit')\"",
        "'select 1 -- ; commit'",
        "'select begin, commit from {{ this }}'",
        "[]",
    ],
)
def test_a_hook_inside_is_fine(hook: str):
    assert rules(f"{{{{ config(post_hook={hook}) }}}}\n{READ}") == []


def test_a_hook_of_the_folder_is_found_too():
    (one,) = found(READ, replace(WINDOWED, hooks=(("analyze", True), ("commit", True))))
    assert one.message.startswith("a hook with commit: it changes rows after they are judged")
    assert rules(READ, replace(WINDOWED, hooks=(("checkpoint", False),))) == ["DB10"]
