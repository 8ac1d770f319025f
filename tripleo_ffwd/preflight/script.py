"""The shell script that asks a node, and its answer taken apart. Pure; imports exceptions alone.

It goes to ``sh -s`` as standard input: a node needs no Python for it, and nothing is copied there. It changes nothing.
Each answer is a line ``ffwd KEY VALUE``; what else a login prints is passed over. The first is ``begin``, the last is
``end``: without it the answer was cut off.
"""

from __future__ import annotations

import base64
import dataclasses
import re
import shlex
from collections.abc import Mapping, Sequence

# Where Ansible looks for Python on a node, in its order.
PYTHONS = (
    *(f"python3.{minor}" for minor in range(15, 5, -1)),
    "/usr/bin/python3",
    "/usr/libexec/platform-python",
    "python2.7",
    "/usr/bin/python",
    "python",
)
# One file system is enough of what may be the same.
DISKS = "/ /var"
LONGEST = 300

_SCRIPT = r"""
say() { printf 'ffwd %s %s\n' "$1" "$2"; }
tell() { say "$1" "$(printf %s "$2" | tr -c '[:print:]' ' ' | cut -c1-300)"; }
# What gets a password may not ask for one: what is read before the line `ffwd begin` is passed over.
as_root() {
  if [ "$root" = password ]; then
    { printf '%s\n' "$ffwd_password"; echo "ffwd begin"; cat; } | sudo -k -S -p '' sh -c '
      while read -r line && [ "$line" != "ffwd begin" ]; do :; done
      exec "$@"' sh "$@"
  else
    $root "$@"
  fi
}
cluster() {
  command -v crm_mon >/dev/null 2>&1 || { say pacemaker none; return; }
  if [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
    say pacemaker none
    tell unasked "pacemaker only root can ask for it"
    return
  fi
  told=$(as_root crm_mon -1 -r 2>&1)
  case $? in
  0) ;;
  127) say pacemaker none; return ;;
  *)
    # The program is in the images of all roles, also of those that never had a cluster.
    if as_root systemctl is-enabled pacemaker >/dev/null 2>&1; then
      tell pacemaker "stopped $told"
    else
      say pacemaker none
    fi
    return
    ;;
  esac
  # A clone that runs where it can is stopped on remote nodes.
  bad=$(printf '%s\n' "$told" |
    awk '/(Started|Masters|Slaves): \[/ { up = 1; print; next } /Stopped: \[/ && up { next } { up = 0; print }' |
    grep -E 'OFFLINE|UNCLEAN|standby|[Mm]aintenance|Stopped|FAILED|WITHOUT quorum' |
    grep -viE 'disabled|OFFLINE: \[ *\]' | sed 's/^[ *\t]*//' | head -n 5 | tr '\n' ';')
  if [ -n "$bad" ]; then tell pacemaker "bad $bad"; else say pacemaker ok; fi
}
interpreter() {
  any=
  for one in $ffwd_pythons; do
    path=$(command -v "$one" 2>/dev/null) || continue
    version=$("$path" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    say python "$version $path"
    any=1
  done
  [ -n "$any" ] || say python none
}
repositories() {
  for release in $ffwd_releases; do
    told=$(printf %s "$ffwd_repositories" | base64 -d | as_root env FFWD_RELEASE="$release" sh -s "$release" 2>&1)
    tell repositories "$release $? $(printf '%s\n' "$told" | tail -n 1)"
  done
}
kernels() {
  read -r running </proc/sys/kernel/osrelease && say running "$running"
  command -v rpm >/dev/null 2>&1 || return
  newest=$(rpm -q --qf '%{INSTALLTIME} %{VERSION}-%{RELEASE}.%{ARCH}\n' kernel 2>/dev/null |
    grep '^[0-9]' | sort -n | tail -n 1)
  [ -z "$newest" ] || say newest "${newest#* }"
}
units() {
  command -v systemctl >/dev/null 2>&1 || return
  if told=$(systemctl list-units --state=failed --no-legend --no-pager 2>&1); then
    tell failed "$(printf '%s\n' "$told" | awk 'NF { print ($1 ~ /[.]/) ? $1 : $2 }' | head -n 10 | tr '\n' ' ')"
  else
    tell unasked "failed $told"
  fi
}
main() {
  LC_ALL=C; export LC_ALL
  PATH="$PATH:/usr/sbin:/sbin"; export PATH
  say begin 1
  say clock "$(date +%s)"
  root=
  if [ -z "$ffwd_become" ]; then
    say sudo ok
  elif told=$(sudo -n true 2>&1); then
    say sudo ok
    root="sudo -n"
  elif [ -n "$ffwd_password" ] && told=$(printf '%s\n' "$ffwd_password" | sudo -k -S -p '' true 2>&1); then
    say sudo ok
    root=password
  elif [ -n "$ffwd_terminal" ] && printf %s "$told" | grep -q tty; then
    say sudo ok
    say unasked "sudo it wants a terminal, which Ansible gives it without pipelining"
  else
    tell sudo "no $told"
  fi
  interpreter
  df -Pk $ffwd_disks 2>/dev/null | awk 'NR > 1 { print int($4 / 1024), $6 }' | sort -u | while read -r free mount; do
    say disk "$free $mount"
  done
  kernels
  [ ! -e /var/run/reboot-required ] || say reboot required
  units
  cluster
  [ -z "$ffwd_guests" ] || say guests "$(pgrep -c 'qemu-[ks]' 2>/dev/null)"
  [ -z "$ffwd_repositories" ] || repositories
  say end 1
}
main </dev/null
"""

# What the value of each answer must be.
_VALUES: Mapping[str, re.Pattern[str]] = {
    "begin": re.compile(r"1"),
    "clock": re.compile(r"\d{1,12}"),
    "sudo": re.compile(r"ok|no( .*)?"),
    "python": re.compile(r"none|\d+\.\d+ \S.*"),
    "disk": re.compile(r"\d+ /.*"),
    "running": re.compile(r"\S+"),
    "newest": re.compile(r"\S+"),
    "reboot": re.compile(r"required"),
    "failed": re.compile(r"[\w@.:\\ -]*"),
    "unasked": re.compile(r"[a-z]+( .*)?"),
    "pacemaker": re.compile(r"none|ok|(stopped|bad)( .*)?"),
    "guests": re.compile(r"\d+"),
    "repositories": re.compile(r"[\w.-]+ \d+( .*)?"),
    "end": re.compile(r"1"),
}
_SEVERAL = ("disk", "python", "unasked", "repositories")
_LINE = re.compile(r"ffwd ([a-z]+) ?(.*)")


@dataclasses.dataclass(frozen=True)
class Parsed:
    """An answer taken apart.

    Attributes:
        values: by key, all that were said; of most keys that is one.
        wrong: by key, what can't be understood; such a key has no values.
        last: the last key that was said; empty when nothing was.
    """

    values: Mapping[str, tuple[str, ...]]
    wrong: Mapping[str, str]
    last: str

    @property
    def begun(self) -> bool:
        """Whether the script has begun."""
        return "begin" in self.values

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return "end" in self.values

    def one(self, key: str) -> str | None:
        """Return the value of a key; None when it was not said."""
        return self.values[key][0] if key in self.values else None


def text(
    *,
    become: bool,
    password: str = "",
    python: str = "",
    releases: Sequence[str] = (),
    repositories: str = "",
    guests: bool,
    terminal: bool = False,
) -> str:
    """Return the script.

    Args:
        become: whether the phase becomes root by sudo.
        password: what sudo is told when it asks; empty for nothing.
        terminal: whether Ansible gives sudo a terminal, which we don't.
        python: the interpreter that Ansible is told to use; empty when it looks for one.
        releases: of the phase, for the operator's own look at repositories.
        repositories: that look, as shell text that has the release in ``$FFWD_RELEASE`` and as ``$1``; empty for none.
        guests: count running instances.
    """
    variables = {
        "ffwd_become": "1" if become else "",
        "ffwd_password": password,
        "ffwd_terminal": "1" if terminal else "",
        "ffwd_pythons": python or " ".join(PYTHONS),
        "ffwd_disks": DISKS,
        "ffwd_releases": " ".join(releases),
        "ffwd_repositories": base64.b64encode(repositories.encode()).decode(),
        "ffwd_guests": "1" if guests else "",
    }
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
    return head + _SCRIPT.lstrip("\n")


def parse(output: str) -> Parsed:
    """Take an answer apart; a value that is none of those that the script says is wrong, and so is a second one."""
    values: dict[str, list[str]] = {}
    wrong: dict[str, str] = {}
    last = ""
    for line in output.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        key, value = found[1], found[2].strip()
        pattern = _VALUES.get(key)
        if pattern is None or not pattern.fullmatch(value) or (key in values and key not in _SEVERAL):
            wrong[key] = value[:LONGEST]
            continue
        values.setdefault(key, []).append(value)
        last = key
    kept = {key: tuple(found) for key, found in values.items() if key not in wrong}
    return Parsed(kept, wrong, last)
