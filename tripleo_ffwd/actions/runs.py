"""Actions about one run of a playbook: start it, tell its state, pause it, cancel it. None waits for its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tripleo_ffwd.actions import ansible_options, following, inputs, secrets, selection, telling
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.ansible_run import launchers, runs
from tripleo_ffwd.exceptions import InvalidInput, NotFound, Stopped
from tripleo_ffwd.model import RunSpec
from tripleo_ffwd.plan import lock, requests


class StartPlaybookAction(FfwdAction):
    """Start a playbook under a supervisor of its own, or attach to the live run of the same playbook and nodes.

    :param plan: name of the plan.
    :param phase: run, upgrade or converge, or a job beside them.
    :param playbook: file name of the playbook.
    :param tree: directory that ``ffwd.generate_playbooks`` returned.
    :param digest: digest that ``ffwd.generate_playbooks`` returned.
    :param owner: id of the root execution.
    :param targets: names of the nodes; empty for all.
    :param ssh_user: user on the nodes; [ffwd] ssh_user by default.
    :param ssh_key_file: path of the private key on the executor; [ffwd] ssh_key_file by default.
    :param ssh_key_env: name of a Mistral environment whose ``private_key`` is used instead; [ffwd] ssh_key_env by
        default.
    :param tags: run only what has one of these tags (comma-separated).
    :param skip_tags: leave out what has one of these tags (comma-separated).
    :param extra_vars: variables for the playbook. They are kept in Mistral's database: put secrets into a file.
    :param extra_vars_file: path on the executor of a file of variables; [ffwd] ansible_extra_vars_file by default.
    :param dry_run: Ansible's check mode.
    :param resume: go on where the newest run of the same playbook and nodes stopped; one that was successful is the
        answer.
    :param timeout: seconds after which the run is ended; [ffwd] run_timeout by default.
    :param forks: how many nodes Ansible works on at once; [ffwd] forks by default.
    :param verbosity: 0 to 4, how much Ansible says in its log; [ffwd] ansible_verbosity by default.
    :param force_reason: why the phase was started out of turn; a run that was successful is then repeated, unless it
        is to be resumed: then playbooks that have changed and processes left on nodes are no obstacle.
    :param batch: name of the batch; runs of several batches of a phase go side by side.
    :param follows: id of a run of the same batch, with more nodes, that it goes on with; needs ``resume``.
    :param ansible: what is rarely needed of Ansible, by name; see `ansible_options.OPTIONS`. [ffwd] says the rest.
    :param poll_interval: seconds between two looks at the root execution, which the run follows.
    :returns: ``{run_id, run_dir, attached, timeout, follower}``; the last is the id of the execution that has the run
        follow its root execution, empty when there is none.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        playbook: str,
        tree: str,
        digest: str,
        owner: str = "",
        targets: list[str] | None = None,
        ssh_user: str | None = None,
        ssh_key_file: str | None = None,
        tags: str | None = None,
        skip_tags: str | None = None,
        extra_vars: dict[str, Any] | None = None,
        extra_vars_file: str | None = None,
        dry_run: bool = False,
        resume: bool = False,
        timeout: int | None = None,
        force_reason: str = "",
        forks: int | None = None,
        verbosity: int | None = None,
        ssh_key_env: str | None = None,
        batch: str = "",
        follows: str = "",
        ansible: dict[str, Any] | None = None,
        poll_interval: int = 5,
    ):
        self.plan = plan
        self.phase = phase
        self.playbook = playbook
        self.tree = tree
        self.digest = digest
        self.owner = owner
        self.targets = targets
        self.ssh_user = ssh_user
        self.ssh_key_file = ssh_key_file
        self.tags = tags
        self.skip_tags = skip_tags
        self.extra_vars = extra_vars
        self.extra_vars_file = extra_vars_file
        self.dry_run = dry_run
        self.resume = resume
        self.timeout = timeout
        self.force_reason = force_reason
        self.forks = forks
        self.verbosity = verbosity
        self.ssh_key_env = ssh_key_env
        self.batch = batch
        self.follows = follows
        self.ansible = ansible
        self.poll_interval = poll_interval

    def act(self, caller: Caller) -> dict[str, Any]:
        inputs.check(vars(self))
        lock.check_owner(selection.place(caller), self.plan, self.owner)
        self._check_asked(caller)
        spec = self._spec(caller)
        status, attached = runs.start(
            caller.work_dir,
            spec,
            launcher=caller.conf.launcher,
            heartbeat_interval=caller.conf.heartbeat_interval,
            heartbeat_stale=caller.conf.heartbeat_stale,
            cancel_grace=caller.conf.cancel_grace,
            # A migration that was done is not done again because nobody was watching its end.
            adopt=self.phase == "run" and not self.force_reason,
            ssh_key=secrets.ssh_key(caller, spec.ssh_key_env),
            secrets=sorted(secrets.plan_secrets(caller, self.plan)),
            executor=caller.conf.executor_name,
            most=caller.conf.runs_per_executor,
        )
        self._pass_on(caller, Path(status.run_dir))
        timeout = runs.timeout_of(Path(status.run_dir)) if attached else 0
        timeout = timeout or self.timeout or caller.conf.run_timeout
        # Here and not in a task behind this one, which an execution that is paused just now would not begin.
        follower = following.begin(caller, self.plan, self.owner, status.run_dir, timeout, self.poll_interval)
        return {
            "run_id": status.run_id,
            "run_dir": status.run_dir,
            "attached": attached,
            "timeout": timeout,
            "follower": follower,
        }

    def _check_asked(self, caller: Caller) -> None:
        """Begin nothing more once the phase is to pause or to end: between two playbooks there is no run to ask."""
        asked = requests.asked(caller.work_dir, self.plan, self.owner)
        if asked:
            what = f"{asked} before {self.playbook}{f' of batch {self.batch}' if self.batch else ''}"
            raise Stopped(what, remedy="Start the phase again with resume", paused=asked == requests.PAUSED)

    def _pass_on(self, caller: Caller, run_dir: Path) -> None:
        """Ask the run for what the phase was asked for while the run was being started."""
        asked = requests.asked(caller.work_dir, self.plan, self.owner)
        if asked:
            (runs.cancel if asked == requests.CANCELLED else runs.pause)(run_dir)

    def _spec(self, caller: Caller) -> RunSpec:
        conf = caller.conf
        key_env = secrets.ssh_key_env(caller, self.ssh_key_env, self.ssh_key_file)
        return RunSpec(
            plan=self.plan,
            phase=self.phase,
            playbook=self.playbook,
            tree=self.tree,
            digest=self.digest,
            targets=tuple(sorted(self.targets or ())),
            owner=self.owner,
            attempt=caller.attempt,
            ssh_user=self.ssh_user or conf.ssh_user,
            ssh_key_file="" if key_env else self.ssh_key_file or conf.ssh_key_file,
            ssh_key_env=key_env,
            known_hosts_file=conf.ssh_known_hosts_file,
            host_key_checking=conf.ssh_host_key_checking,
            forks=self.forks or conf.forks,
            verbosity=conf.ansible_verbosity if self.verbosity is None else self.verbosity,
            timeout=self.timeout or conf.run_timeout,
            tags=self.tags or "",
            skip_tags=conf.ansible_skip_tags if self.skip_tags is None else self.skip_tags,
            extra_vars=self.extra_vars or {},
            extra_vars_file=conf.ansible_extra_vars_file if self.extra_vars_file is None else self.extra_vars_file,
            check=self.dry_run,
            resume=self.resume,
            batch=self.batch,
            follows=self.follows,
            anyway=self.force_reason,
            **ansible_options.fields(conf, self.ansible),
        )


class GetPlaybookStatusAction(FfwdAction):
    """Say where a run stands; what can't be told gives the state ``unknown``, never an error.

    :param run_dir: directory that ``ffwd.start_playbook`` returned.
    :param plan: name of the plan.
    :param owner: id of the root execution that the run is to follow, if it does not yet; empty for none.
    :param timeout: seconds after which the run is ended in any case.
    :param poll_interval: seconds between two looks at the root execution.
    :returns: counts, stage, failed tasks; ``state`` (live, finished, interrupted, unknown), ``settled``, ``succeeded``;
        ``goes_on``: it was paused because its execution was, and goes on when that does.
    """

    def __init__(self, run_dir: str, plan: str = "", owner: str = "", timeout: int = 14400, poll_interval: int = 5):
        self.run_dir = run_dir
        self.plan = plan
        self.owner = owner
        self.timeout = timeout
        self.poll_interval = poll_interval

    def act(self, caller: Caller) -> dict[str, Any]:
        status = runs.status(Path(self.run_dir), heartbeat_stale=caller.conf.heartbeat_stale)
        telling.seen(caller, status)
        if self.owner and not status.settled:
            following.begin(caller, self.plan, self.owner, self.run_dir, self.timeout, self.poll_interval)
        return {**status.to_dict(), "goes_on": following.paused_by_its_execution(status)}


class CancelPlaybookAction(FfwdAction):
    """Ask the supervisor of a run, or of every live run of a plan, to end it and everything that belongs to it.

    No new task is started; those under way have [ffwd] cancel_grace seconds to end.

    :param run_dir: directory of the run; or
    :param plan: name of the plan whose live runs are meant.
    :param now: cut off the tasks under way at once; also after a cancel that still waits for them.
    :returns: ``{cancelled, message}``: ids of the runs that were asked to end. Poll ``ffwd.get_playbook_status`` for
        the end.
    """

    def __init__(self, run_dir: str = "", plan: str = "", now: bool = False):
        self.run_dir = run_dir
        self.plan = plan
        self.now = now

    def act(self, caller: Caller) -> dict[str, Any]:
        _check_which(self.run_dir, self.plan)
        phase = _tell_phase(caller, self.plan, requests.CANCELLED)
        wanted = _live(caller, self.run_dir, self.plan)
        cancelled = [runs.cancel(Path(run_dir), now=self.now).run_id for run_dir in wanted]
        told = f"Asked to end: {', '.join(cancelled)}" if cancelled else f"No run of plan {self.plan} is live"
        return {"cancelled": cancelled, "message": f"{told}{phase}."}


class PausePlaybookAction(FfwdAction):
    """Ask a run, or every live run of a plan, to end where its next stage begins, or take that back.

    :param run_dir: directory of the run; or
    :param plan: name of the plan whose live runs are meant.
    :param undo: take back a pause that is still to come.
    :returns: ``{paused, message}``: ids of the runs that were asked. Poll ``ffwd.get_playbook_status`` for the end.
    """

    def __init__(self, run_dir: str = "", plan: str = "", undo: bool = False):
        self.run_dir = run_dir
        self.plan = plan
        self.undo = undo

    def act(self, caller: Caller) -> dict[str, Any]:
        _check_which(self.run_dir, self.plan)
        do = runs.unpause if self.undo else runs.pause
        phase = _tell_phase(caller, self.plan, "" if self.undo else requests.PAUSED)
        asked = [do(Path(run_dir)).run_id for run_dir in _live(caller, self.run_dir, self.plan)]
        told = "Asked to go on" if self.undo else "Asked to end where the next stage begins"
        named = f"{told}: {', '.join(asked)}" if asked else f"No run of plan {self.plan} is live"
        return {"paused": asked, "message": f"{named}{phase}."}


def _check_which(run_dir: str, plan: str) -> None:
    if bool(run_dir) == bool(plan):
        raise InvalidInput("Give exactly one of run_dir and plan")


def _tell_phase(caller: Caller, plan: str, result: str) -> str:
    """Have the phase that holds a plan start no more playbooks, and say so; without a result, take back its pause."""
    holder = lock.holder(selection.place(caller), plan) if plan else None
    if holder is None:
        return ""
    if not result:
        requests.withdraw(caller.work_dir, plan, holder.execution)
        return ""
    requests.ask(caller.work_dir, plan, holder.execution, result)
    return f"; phase {holder.phase} starts no other playbook"


def _live(caller: Caller, run_dir: str, plan: str) -> list[str]:
    """Return the directories of the runs that are meant: of the one that is named, or of a plan's live ones."""
    if run_dir:
        if not Path(run_dir).is_dir():
            raise NotFound("There is no such run", where=run_dir, remedy="See `tripleo-ffwd run list`")
        return [run_dir]
    # Runs whose plan can't be read count for the lock, but may be somebody else's.
    return [run.run_dir for run in selection.plan_runs(caller, plan) if run.plan == plan and not run.settled]


class CheckLauncherAction(FfwdAction):
    """Say how this executor starts the supervisors of runs, and whether it could now; starts nothing.

    :returns: ``{launcher, usable, message, work_dir}``.
    """

    def __init__(self) -> None:
        pass

    def act(self, caller: Caller) -> dict[str, Any]:
        launcher = caller.conf.launcher
        obstacle = launchers.obstacle(launcher, caller.work_dir)
        return {"launcher": launcher, "usable": not obstacle, "message": obstacle, "work_dir": str(caller.work_dir)}
