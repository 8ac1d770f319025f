from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tripleo_ffwd.ansible_run.redaction import Lines, secrets
from tripleo_ffwd.redaction import Redactor


def redactor(extra_vars: dict[str, Any], path: str = "", tree: Path | None = None) -> Callable[[str], str]:
    return Redactor(secrets(extra_vars, path, tree))


def test_values_of_extra_variables_are_masked_wherever_they_are(tmp_path: Path) -> None:
    redact = redactor({"db": {"password": "swordfish"}, "keys": ["line one\nline two"], "forks": 5, "short": "abc"})
    assert redact("connect with swordfish; line two") == "connect with ******; ******"
    assert redact("abc and 5") == "abc and 5"


def test_only_secrets_of_the_file_are_masked(tmp_path: Path) -> None:
    path = tmp_path / "vars.yaml"
    path.write_text("ntp_server: clock.example.com\nadmin_password: swordfish\n")
    redact = redactor({}, str(path))
    assert redact("clock.example.com swordfish") == "clock.example.com ******"


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
    (tmp_path / "host_vars" / "ctl-0").write_text("heat_auth_encryption_key: !unsafe mackerel7\n")
    redact = redactor({}, tree=tmp_path)
    assert redact("-pswordfish herring mackerel7") == "-p****** ****** ******"
    assert redact("abc /etc/key.pem http://192.0.2.1:5000") == "abc /etc/key.pem http://192.0.2.1:5000"


def test_secrets_in_deployments_and_containers_are_masked(tmp_path: Path) -> None:
    (tmp_path / "deployments" / "configs").mkdir(parents=True)
    hiera = {"nova::db_password": "halibut-1", "deep": json.dumps({"rabbit_password": "halibut-2"})}
    (tmp_path / "deployments" / "configs" / "0a.json").write_text(json.dumps({"config": json.dumps({"hiera": hiera})}))
    (tmp_path / "Controller").mkdir()
    container = {"environment": ["DB_ROOT_PASSWORD=halibut-3", "KOLLA_CONFIG=COPY_ALWAYS", "U=amqp://u:halibut-4@h/"]}
    (tmp_path / "Controller" / "docker_config.yaml").write_text(yaml.safe_dump({"step_1": {"mysql": container}}))
    redact = redactor({}, tree=tmp_path)
    assert redact("halibut-1 halibut-2 halibut-3 halibut-4 COPY_ALWAYS") == "****** ****** ****** ****** COPY_ALWAYS"


def test_lines_of_a_wrapped_warning_show_no_part_of_a_secret() -> None:
    shown = feed(["sword-fish-99"], "[WARNING]: can't use sword-\n", "fish-99 for it\n", "next\n")
    assert shown == "[WARNING]: can't use ******\n****** for it\nnext\n"
    assert feed(["correct horse battery"], "it is correct\n", "horse battery.\n") == "it is ******\n******.\n"


def test_a_line_that_only_looks_like_the_beginning_is_shown_with_the_next_one() -> None:
    assert feed(["swordfish-99"], "a sword\n", "and a shield\n", "a sword") == "a sword\nand a shield\na sword"


def test_a_private_key_that_nobody_told_us_of_is_masked_line_by_line() -> None:
    key = ["-----BEGIN RSA PRIVATE KEY-----\n", "MIIG4gIBAAKCAYEAyK\n", "Zm9v==\n", "-----END RSA PRIVATE KEY-----\n"]
    assert feed([], "before\n", *key, "after it\n") == "before\n" + "******\n" * 4 + "after it\n"
    assert feed([], "grep 'BEGIN RSA PRIVATE KEY'\n", "-----BEGIN RSA PRIVATE KEY-----\n", "no key at all\n").endswith(
        "no key at all\n"
    )


def feed(known: list[str], *lines: str) -> str:
    stream = Lines(Redactor(known))
    return "".join([*(stream.feed(line) for line in lines), *stream.last()])
