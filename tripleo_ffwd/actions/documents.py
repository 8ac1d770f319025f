"""Actions that write what is too large for Mistral, and hand it out in pieces: the report, a preview."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

from tripleo_ffwd.actions import overview, playbooks, secrets, selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import FfwdError, InvalidInput
from tripleo_ffwd.plan import journal, lock
from tripleo_ffwd.plan.store import open_store
from tripleo_ffwd.reporting import assembling, documents, page

FORMATS = ("html", "json")


class WriteReportAction(FfwdAction):
    """Write the report of a plan below its records: what was done on which node, how long it took, what failed.

    :param plan: name of the plan.
    :param format: html or json.
    :returns: ``{name, path, bytes, sha256, pieces}``: `ffwd.read_document` hands the pieces out.
    """

    def __init__(self, plan: str, format: str = "html"):
        self.plan = plan
        self.format = format

    def act(self, caller: Caller) -> dict[str, Any]:
        if self.format not in FORMATS:
            raise InvalidInput(f"There is no format {self.format!r}", remedy=f"Use one of {', '.join(FORMATS)}")
        found = selection.plan_runs(caller, self.plan)
        if not any(run.plan == self.plan for run in found) and not journal.read(caller.work_dir, self.plan):
            overview.check_known(caller, self.plan)
        holder = lock.holder(selection.place(caller), self.plan)
        known = assembling.Known(
            plan_version=_plan_version(caller, self.plan),
            versions={"mistral": importlib.metadata.version("mistral")},
            holder=holder.execution if holder else "",
            cover=secrets.redactor(caller, self.plan).within,
        )
        report = assembling.build(caller.work_dir, self.plan, found, known)
        text = page.render(report) if self.format == "html" else json.dumps(report, ensure_ascii=False)
        return documents.save(caller.work_dir, self.plan, "report", self.format, text)


class PreviewPlaybooksAction(FfwdAction):
    """Write down which stages the playbooks of a phase would have; no playbook is written.

    :param plan: name of the plan.
    :param phase: run, upgrade or converge.
    :param outputs: digest of the outputs that ``ffwd.query_outputs`` returned.
    :param deployments: digest of the servers' deployments that it returned; empty when the phase needs none.
    :returns: ``{name, path, bytes, sha256, pieces}`` of the manifest: `ffwd.read_document` hands the pieces out.
    """

    def __init__(self, plan: str, phase: str, outputs: str, deployments: str = ""):
        self.plan = plan
        self.phase = phase
        self.outputs = outputs
        self.deployments = deployments

    def act(self, caller: Caller) -> dict[str, Any]:
        manifest = playbooks.compiled(caller, self.phase, self.outputs, self.deployments).manifest
        return documents.save(caller.work_dir, self.plan, "preview", "json", json.dumps(manifest))


class ReadDocumentAction(FfwdAction):
    """Hand out a piece of a document that another action has written.

    :param plan: name of the plan.
    :param name: name of the document.
    :param number: number of the piece, from 0.
    :returns: the piece of the document, compressed by gzip as a whole, in base64.
    """

    def __init__(self, plan: str, name: str, number: int = 0):
        self.plan = plan
        self.name = name
        self.number = number

    def act(self, caller: Caller) -> str:
        return documents.piece(caller.work_dir, self.plan, self.name, self.number)


def _plan_version(caller: Caller, plan: str) -> dict[str, Any] | None:
    try:
        found = open_store(caller.conf, caller.security).current(plan)
    except FfwdError:
        return None
    return {"number": found.number, "digest": found.digest, "created": found.created, "origin": found.origin}
