from __future__ import annotations

from pathlib import Path

from tripleo_ffwd.ansible_run.redaction import redactor


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
