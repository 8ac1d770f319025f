#!/bin/sh
# Install the unmodified clients, each into an environment of its own below the directory $1, and print where they are.
# Exit 3: there is no Python 3.6, the last one that they work with.
set -eu
here=$(dirname "$0")
python=
for found in python3.6 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.6.*/bin/python3.6; do
    # A shim of pyenv is there, and runs nothing, when the version is not chosen.
    if [ -z "$python" ] && "$found" -c 'import venv' 2>/dev/null; then
        python=$found
    fi
done
[ -n "$python" ] || exit 3

# What builds their oldest dependencies: later ones of these have left out what those ask for.
install() {
    where=$1/$2
    shift 2
    [ ! -e "$where/.installed" ] || return 0
    "$python" -m venv "$where"
    pip="$where/bin/pip --quiet --disable-pip-version-check"
    $pip install 'pip==21.3.1'
    $pip install 'wheel==0.37.1' "$1"
    shift
    $pip install --no-build-isolation "$@"
    touch "$where/.installed"
}

for version in 9.3.1 12.3.1; do
    install "$1" "$version" 'setuptools==45.3.0' -c "$here/constraints-$version.txt" \
        "python-tripleoclient==$version" python-zaqarclient >&2
done
printf '%s\n' "$1/9.3.1" "$1/12.3.1"
