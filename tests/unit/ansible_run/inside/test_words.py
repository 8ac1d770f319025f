from __future__ import annotations

from tripleo_ffwd.ansible_run.inside.words import HIDDEN, describe
from tripleo_ffwd.redaction import Redactor


def test_message_says_why_and_keeps_what_no_log_hides() -> None:
    assert describe({"msg": "non-zero return code", "stderr": "a\nno such service"}) == (
        "non-zero return code: no such service"
    )
    assert describe({"censored": "the output has been hidden", "msg": "secret"}) == HIDDEN
    assert describe({"msg": "One or more items failed", "results": [{}, {"failed": True, "msg": "item 2"}]}) == "item 2"
    long = describe({"msg": "unreachable: " + "@@@@@@ " * 30 + "x " * 300 + "Host key verification failed."})
    assert len(long) < 320 and long.endswith("Host key verification failed.") and "@@@" not in long


def test_secret_is_covered_before_the_message_is_cut() -> None:
    secret = "planted-" + "x7" * 40
    told = describe({"msg": "a " * 30 + secret + " b" * 300}, Redactor([secret]))
    assert "planted" not in told and "x7x7" not in told
