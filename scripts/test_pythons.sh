#!/bin/sh
# Run the types, the unit tests and the demo on every Python that is here, each in an environment
# of its own, and compare what the demos have published. Folders of the project stay as they are.
set -eu
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export DAYBREAK_LANDING="$scratch/landing"
first=
scripts/find_python.sh --all > "$scratch/pythons"
while read -r python; do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    environment=.venvs/$version
    mkdir -p "$scratch/$version"
    echo "Python $version: $python"
    make --no-print-directory "VENV=$environment" "PYTHON=$python" "$environment/.ready"
    "$environment/bin/mypy" --python-version "$version"
    "$environment/bin/pytest" --numprocesses 2 runner tests/unit

    export DAYBREAK_WAREHOUSE="$scratch/$version/warehouse.duckdb" \
        DAYBREAK_HOME="$scratch/$version/home" DBT_TARGET_PATH="$scratch/$version/target"
    make --no-print-directory "VENV=$environment" "PYTHON=$python" demo > "$scratch/$version/demo"
    unset DAYBREAK_WAREHOUSE DAYBREAK_HOME DBT_TARGET_PATH
    sed -n '/^daily_revenue: /,$p' "$scratch/$version/demo" > "$scratch/$version/totals"
    sed -n 1p "$scratch/$version/totals"
    first=${first:-$version}
    diff "$scratch/$first/totals" "$scratch/$version/totals"
done < "$scratch/pythons"
echo "$(wc -l < "$scratch/pythons") versions of Python, the same totals"
