#!/bin/sh
# Make the environment of the project, or bring it up to date: everything that pyproject.toml
# declares, at the versions of constraints.txt. With uv where it is, else with pip.
#
#   make_environment.sh FOLDER [PYTHON]
#
# The environment keeps the Python that it has unless PYTHON names another one.
set -eu
cd "$(dirname "$0")/.."
environment=$1

python=$(scripts/find_python.sh "${2:-$environment/bin/python}" 2>/dev/null) \
    || python=$(scripts/find_python.sh ${2:+"$2"})

uv=$(command -v uv || true)
version='import sys; print(sys.base_prefix, sys.version)'
has=$("$environment/bin/python" -c "$version" 2>/dev/null || true)
if [ "$has" != "$("$python" -c "$version")" ] || { [ -z "$uv" ] && [ ! -x "$environment/bin/pip" ]; }; then
    echo "making $environment with $python"
    rm -rf "$environment"
    if [ -n "$uv" ]; then
        "$uv" venv --quiet --python "$python" "$environment"
    else
        "$python" -m venv "$environment"
    fi
fi

if [ -n "$uv" ]; then
    "$uv" pip install --quiet --compile-bytecode --python "$environment/bin/python" \
        -c constraints.txt -e '.[demo,dev]'
else
    "$environment/bin/pip" install --quiet --disable-pip-version-check \
        -c constraints.txt -e '.[demo,dev]'
fi
