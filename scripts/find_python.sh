#!/bin/sh
# Print the path of the newest Python that Daybreak runs on, of those on the PATH; where there is
# none, of those that pyenv and uv keep. Every candidate is started once: a shim of pyenv may
# answer only that there is no such command.
#
#   find_python.sh          the newest
#   find_python.sh --all    one of each version, wherever it lies
#   find_python.sh NAME     this one, if it will do
set -eu

SUPPORTED="3.13 3.12 3.11"  # newest first; dbt 1.11 cannot be imported on 3.14
# The interpreter behind a virtual environment or a shim, if it has what an environment needs.
PROBE='
import ensurepip, sqlite3, ssl, sys, venv
if "%d.%d" % sys.version_info[:2] not in sys.argv[1].split():
    sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))
'

# usage: probe COMMAND VERSIONS
probe() {
    "$1" -c "$PROBE" "$2" 2>/dev/null
}

# usage: first NAME FOLDERS VERSIONS; the folders are separated by colons
first() {
    (
        IFS=:
        for folder in $2; do
            [ -x "$folder/$1" ] && probe "$folder/$1" "$3" && exit 0
        done
        exit 1
    )
}

kept=
for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin \
    "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}"/*/bin; do
    kept="$kept:$folder"
done

case "${1:-}" in
    "")
        for folders in "$PATH" "$kept"; do
            for version in $SUPPORTED; do
                first "python$version" "$folders" "$version" && exit 0
            done
            first python3 "$folders" "$SUPPORTED" && exit 0
        done
        ;;
    --all)
        for version in $SUPPORTED; do
            first "python$version" "$PATH:$kept" "$version" || true
        done
        exit 0
        ;;
    *)
        probe "$1" "$SUPPORTED" && exit 0
        echo "$1 will not do: name a Python 3.11, 3.12 or 3.13 that runs and has its venv module, make PYTHON=..." >&2
        exit 1
        ;;
esac
echo "Daybreak runs on Python 3.11, 3.12 and 3.13 (dbt not yet on 3.14), and none is here that has its venv module: install one (python3.13 and python3.13-venv), or name it: make PYTHON=..." >&2
exit 1
