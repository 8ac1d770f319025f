#!/bin/sh
# Install unmodified clients, each into an environment of its own below the directory $1, and print where they are: those of
# the versions that follow, or all.
# Exit 3: there is no Python 3.6, the last one that they work with. The client of Queens is Python 2's own: on Python 3 it
# dies while it refreshes a plan. So it is there twice where there is a Python 2.7.
set -eu
here=$(dirname "$0")

# The first of the interpreters $1, of the path or of pyenv, that runs `import $2`.
find_python() {
    name=$1
    module=$2
    for found in "$name" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"${name#python}".*/bin/"$name"; do
        # A shim of pyenv is there, and runs nothing, when the version is not chosen.
        if "$found" -c "import $module" 2>/dev/null; then
            echo "$found"
            return
        fi
    done
}

python=$(find_python python3.6 venv)
python2=$(find_python python2.7 ssl)
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

install_on_python2() {
    where=$1/9.3.1-python2
    [ ! -e "$where/.installed" ] || return 0
    python3 -m venv "$1/virtualenv"
    "$1/virtualenv/bin/pip" --quiet --disable-pip-version-check install 'virtualenv==20.21.1'
    "$1/virtualenv/bin/virtualenv" --quiet -p "$python2" --pip 20.3.4 --setuptools 44.1.1 --wheel 0.37.1 "$where"
    "$where/bin/pip" --quiet --disable-pip-version-check install --no-build-isolation \
        -c "$here/constraints-9.3.1-python2.txt" 'python-tripleoclient==9.3.1' python-zaqarclient
    touch "$where/.installed"
}

directory=$1
shift
all=${1-yes}
[ $# -gt 0 ] || set -- 9.3.1 12.3.1
for version; do
    install "$directory" "$version" 'setuptools==45.3.0' -c "$here/constraints-$version.txt" \
        "python-tripleoclient==$version" python-zaqarclient >&2
    printf '%s\n' "$directory/$version"
done
if [ "$all" = yes ] && [ -n "$python2" ]; then
    install_on_python2 "$directory" >&2
    printf '%s\n' "$directory/9.3.1-python2"
fi
