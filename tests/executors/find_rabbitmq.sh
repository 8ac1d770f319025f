#!/bin/sh
# Print where RabbitMQ is: / when it is installed, else the directory $1, into which Debian's packages of it and of Erlang
# are unpacked. That needs no root, makes no user and starts no service. Ends with 1 where neither can be.
set -eu
if [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
    echo /
    exit 0
fi
mkdir -p "$1"
cd "$1"
if [ ! -e .unpacked ]; then
    for program in apt-get apt-cache dpkg-deb; do
        command -v "$program" >/dev/null || { echo "RabbitMQ is not installed, and there is no $program" >&2; exit 1; }
    done
    if [ "$(id -u)" = 0 ] && ! apt-cache show rabbitmq-server >/dev/null 2>&1; then
        apt-get -qq update >&2
    fi
    names=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances rabbitmq-server | grep -E '^(rabbitmq-server|erlang-)' | sort -u)
    rm -f ./*.deb
    # shellcheck disable=SC2086 # names of packages, one a word
    apt-get -qq download $names >&2
    for package in ./*.deb; do
        dpkg-deb -x "$package" .
    done
    rm -f ./*.deb
    # Debian's script knows one place only.
    sed -i 's,ROOTDIR=/usr/lib/erlang$,ROOTDIR="$ERL_ROOTDIR",' usr/lib/erlang/bin/erl
    touch .unpacked
fi
pwd
