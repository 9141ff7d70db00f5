"""The plain dbt project once a day: what a team runs that has Airflow and dbt.

One run at a time, as the warehouse is a file that takes one writer. dbt has an environment of its
own, so that its packages and Airflow's do not meet.
"""

import os
from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

with DAG(
    "plain_daily",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2017, 3, 1),  # noqa: DTZ001, in the zone of the schedule
    end_date=datetime(2017, 6, 1),  # noqa: DTZ001
    catchup=False,
    max_active_runs=1,
):
    BashOperator(
        task_id="dbt_build",
        cwd=os.environ["PLAIN_PROJECT"],
        bash_command=(
            f"{os.environ['PLAIN_DBT']} build --quiet --exclude-resource-type unit_test "
            "--event-time-start {{ data_interval_start | ds }} "
            "--event-time-end {{ data_interval_end | ds }}"
        ),
    )
