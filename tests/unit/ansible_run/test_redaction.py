from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.inside.words import masker
from tripleo_ffwd.ansible_run.redaction import secrets


def redactor(extra_vars: dict[str, Any], path: str = "", tree: Path | None = None) -> Callable[[str], str]:
    return masker(secrets(extra_vars, path, tree))


def test_values_of_extra_variables_are_masked_wherever_they_are(tmp_path: Path) -> None:
    redact = redactor({"db": {"password": "swordfish"}, "keys": ["line one\nline two"], "forks": 5, "short": "abc"})
    assert redact("connect with swordfish; line two") == "connect with ********; ********"
    assert redact("abc and 5") == "abc and 5"


def test_only_secrets_of_the_file_are_masked(tmp_path: Path) -> None:
    path = tmp_path / "vars.yaml"
    path.write_text("ntp_server: clock.example.com\nadmin_password: swordfish\n")
    redact = redactor({}, str(path))
    assert redact("clock.example.com swordfish") == "clock.example.com ********"


def test_vault_file_and_missing_file_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "vault.yaml"
    path.write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    assert redactor({}, str(path))("text") == "text"
    assert redactor({}, str(tmp_path / "none"))("text") == "text"


def test_secrets_of_the_plan_are_masked_and_its_settings_are_not(tmp_path: Path) -> None:
    for name in ("group_vars", "host_vars"):
        (tmp_path / name).mkdir()
    (tmp_path / "global_vars.yaml").write_text("mysql_root_password: swordfish\nkeystone_url: http://192.0.2.1:5000\n")
    (tmp_path / "group_vars" / "Controller").write_text(
        "hiera: {'nova::rabbit_password': 'herring', pin_password: abc, ssl_key: /etc/key.pem}\n"
    )
    (tmp_path / "host_vars" / "ctl-0").write_text("heat_auth_encryption_key: !unsafe mackerel\n")
    redact = redactor({}, tree=tmp_path)
    assert redact("-pswordfish herring mackerel") == "-p******** ******** ********"
    assert redact("abc /etc/key.pem http://192.0.2.1:5000") == "abc /etc/key.pem http://192.0.2.1:5000"
