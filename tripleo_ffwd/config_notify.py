"""Options of [ffwd] about who is told of phases while they are under way; values only."""

from __future__ import annotations

from oslo_config import cfg

# What is told: a phase has begun, a stage has, tasks have failed, a phase has ended.
STARTED, STAGE, FAILURE, ENDED = "phase_started", "stage", "failure", "phase_ended"
EVENTS = (STARTED, STAGE, FAILURE, ENDED)

NOTIFY = [
    cfg.ListOpt(
        "notify_events",
        default=list(EVENTS),
        item_type=cfg.types.String(choices=EVENTS),
        help="What is told to the receivers below: that a phase has begun, that a run has come to a stage, that tasks "
        "have failed, that a phase has ended.",
    ),
    cfg.StrOpt("notify_queue", default="", help="Zaqar queue that is told. Empty: none."),
    cfg.StrOpt(
        "notify_webhook_url",
        default="",
        secret=True,
        help="URL to which each message is sent as JSON by POST; redirects are not followed. Empty: none.",
    ),
    cfg.ListOpt(
        "notify_webhook_hosts",
        default=[],
        help="Hosts that notify_webhook_url may name, e.g. hooks.example.com or *.example.com. Others get nothing.",
    ),
    cfg.StrOpt(
        "notify_command",
        default="",
        help="Command, as a shell would take its words apart, that is run for each message and reads it as JSON. It "
        "runs as the user of Mistral's executor. Empty: none.",
    ),
    cfg.IntOpt("notify_timeout", default=10, min=1, help="Seconds after which one try to tell a receiver is given up."),
    cfg.IntOpt(
        "notify_keep",
        default=3600,
        min=0,
        help="Seconds for which a message that a receiver does not take is tried again; then it is dropped.",
    ),
]
