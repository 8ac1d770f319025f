"""Configuration files of the embedded Mistral and Heat; imports neither of them."""

from __future__ import annotations

import configparser
import io
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from tripleo_ffwd import files
from tripleo_ffwd.embedded.site import Site

_HEAT_FILES = Path(__file__).parent / "heat_files"
REGION = "regionOne"

# At INFO, the first logs the inputs of workflows and the second the results of actions; they may hold secrets.
_LOG_LEVELS = (
    "workflow_trace=WARN,mistral.rpc.clients=WARN,mistral.actions.std_actions=WARN,"
    "amqp=WARN,sqlalchemy=WARN,oslo.messaging=WARN,oslo_messaging=WARN,oslo_policy=WARN,stevedore=ERROR,"
    "urllib3.connectionpool=WARN,heat.engine.environment=WARN,keystonemiddleware=WARN,keystoneauth=WARN,alembic=WARN,dogpile=INFO,"
    "yaql=WARN"
)

Sections = Mapping[str, Mapping[str, object]]


def mistral_url(port: int) -> str:
    """Return what OS_MISTRAL_URL must be."""
    return f"http://127.0.0.1:{port}/v2"


def heat_url(port: int) -> str:
    """Return the embedded Heat's endpoint, with the project."""
    return f"http://127.0.0.1:{port}/v1/admin"


def write_mistral(site: Site, *, port: int, heat_port: int) -> Path:
    """Write D/mistral/mistral.conf and return it."""
    path = site.mistral / "mistral.conf"
    _write(path, mistral_sections(site, port=port, heat_port=heat_port))
    return path


def write_heat(site: Site, *, port: int) -> Path:
    """Write D/heat/heat.conf and the files it names, and return it."""
    path = site.heat / "heat.conf"
    files.write_json(site.heat / "token.json", _token(port))
    files.write_atomic(site.heat / "policy.yaml", b"{}\n")
    files.write_atomic(site.heat / "api-paste.ini", (_HEAT_FILES / "api-paste.ini").read_bytes())
    files.make_private_dir(site.heat / "environment.d")
    files.make_private_dir(site.heat / "templates")
    _write(path, heat_sections(site, port=port))
    return path


def mistral_sections(site: Site, *, port: int, heat_port: int) -> Sections:
    """Return Mistral's configuration: all in one process on SQLite, without keystone."""
    return {
        "DEFAULT": {
            "transport_url": "fake://",
            "rpc_response_timeout": 120,
            "executor_thread_pool_size": 32,
            "scheduler_type": "default",
            **_logging(),
        },
        "oslo_messaging_notifications": {"driver": "noop"},
        "database": {"connection": f"sqlite:///{site.mistral / 'mistral.sqlite'}"},
        "pecan": {"auth_enable": "false"},
        "api": {"host": "127.0.0.1", "port": port},
        "cron_trigger": {"enabled": "false"},
        "executor": {"type": "remote"},
        "notifier": {"type": "local"},
        # A job that is 2 seconds overdue was scheduled by a process that is gone: pick it up. Capturing is atomic, so
        # a job that is merely late runs once all the same.
        "scheduler": {"fixed_delay": 0.5, "pickup_job_after": 2, "captured_job_timeout": 60},
        # What a restart loses is found by mistral_recovery at once; these two only back it up.
        "engine": {"execution_integrity_check_delay": 10},
        "action_heartbeat": {"check_interval": 5, "max_missed_heartbeats": 12, "first_heartbeat_timeout": 120},
        "ffwd": {
            "work_dir": site.work,
            "heat_url": heat_url(heat_port),
            "mistral_url": mistral_url(port),
            # An embedded Heat has one engine, which loses everything when it ends.
            "heat_stall_timeout": 10,
            # Chosen on purpose: an embedded Mistral has no control group or container that ends with it.
            "launcher": "detach",
            "ssh_user": "heat-admin",
            "ssh_port": site.ssh_port,
            # The nodes run on this machine, and Ansible need not look for a Python on them.
            "python_interpreter": sys.executable,
            "ssh_key_file": site.ssh_key_file,
        },
    }


def heat_sections(site: Site, *, port: int) -> Sections:
    """Return Heat's configuration: engine and API in one process on SQLite, without keystone."""
    return {
        "DEFAULT": {
            "transport_url": "fake://",
            "rpc_response_timeout": 600,
            "num_engine_workers": 1,
            "convergence_engine": "true",
            # How often an engine says that it is alive: one that ended is known to have so after twice that.
            "periodic_interval": 5,
            "deferred_auth_method": "password",
            "keystone_backend": "heat.engine.clients.os.keystone.fake_keystoneclient.FakeKeystoneClient",
            "heat_metadata_server_url": f"http://127.0.0.1:{port}/",
            "default_deployment_signal_transport": "HEAT_SIGNAL",
            "default_software_config_transport": "POLL_SERVER_HEAT",
            # A rendered plan of a real overcloud is 1.8 MB, seven stacks deep and a thousand resources.
            "max_json_body_size": 32 * 1024 * 1024,
            "max_nested_stack_depth": 10,
            "max_resources_per_stack": -1,
            "environment_dir": site.heat / "environment.d",
            "template_dir": site.heat / "templates",
            "auth_encryption_key": _encryption_key(site),
            "region_name_for_services": REGION,
            **_logging(),
        },
        "noauth": {"token_response": site.heat / "token.json"},
        "ffwd_heat": {"bind_host": "127.0.0.1", "bind_port": port},
        "database": {"connection": f"sqlite:///{site.heat / 'heat.sqlite'}?timeout=120"},
        "paste_deploy": {"flavor": "noauth", "api_paste_config": site.heat / "api-paste.ini"},
        # Without the two switches every call is refused with 403.
        "oslo_policy": {
            "policy_file": site.heat / "policy.yaml",
            "enforce_scope": "false",
            "enforce_new_defaults": "false",
        },
        "yaql": {"memory_quota": 900000, "limit_iterators": 9000},
    }


def _logging() -> dict[str, object]:
    return {"use_stderr": "true", "log_color": "false", "default_log_levels": _LOG_LEVELS}


def _encryption_key(site: Site) -> str:
    """Return the key that Heat encrypts with; made once, for the database must stay readable."""
    path = site.heat / "encryption_key"
    if not path.exists():
        files.write_atomic(path, secrets.token_hex(16).encode())
    return path.read_text(encoding="ascii")


def _token(port: int) -> dict[str, object]:
    """Return what keystone would say of every caller's token."""

    def service(kind: str, name: str, url: str) -> dict[str, object]:
        endpoints = [
            {"id": f"{name}-{interface}", "interface": interface, "region": REGION, "region_id": REGION, "url": url}
            for interface in ("public", "internal", "admin")
        ]
        return {"id": name, "name": name, "type": kind, "endpoints": endpoints}

    domain = {"id": "default", "name": "Default"}
    return {
        "token": {
            "is_domain": False,
            "methods": ["password"],
            "roles": [{"id": "admin", "name": "admin"}],
            "issued_at": "2024-01-01T00:00:00.000000Z",
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "audit_ids": ["embedded"],
            "user": {"id": "admin", "name": "admin", "domain": domain},
            "project": {"id": "admin", "name": "admin", "domain": domain},
            "catalog": [
                service("orchestration", "heat", heat_url(port)),
                service("identity", "keystone", "http://127.0.0.1/v3"),
            ],
        }
    }


def _write(path: Path, sections: Sections) -> None:
    parser = configparser.RawConfigParser(default_section="")
    parser.read_dict({name: {key: str(value) for key, value in options.items()} for name, options in sections.items()})
    text = io.StringIO()
    text.write("# Written at each start of the undercloud; changes are lost.\n")
    parser.write(text)
    # oslo.config substitutes `$name` in values; a path may hold a dollar sign.
    files.write_atomic(path, text.getvalue().replace("$", "$$").encode())
