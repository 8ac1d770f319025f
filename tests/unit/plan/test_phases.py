"""Whose turn it is, by the recorded state of the nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tripleo_ffwd.exceptions import OutOfTurn
from tripleo_ffwd.model import JOB_PLAYBOOKS, PHASE_PLAYBOOKS
from tripleo_ffwd.plan import phases

CONTROLLERS = ("controller-0", "controller-1")
COMPUTES = ("compute-0",)
NODES = CONTROLLERS + COMPUTES


class Plan:
    """A plan's record, driven as the workflows drive it."""

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir

    def begin(self, phase: str, nodes=NODES, **options) -> None:
        names = tuple(self.record.nodes) if phase == "prepare" else nodes
        phases.begin(self.work_dir, "overcloud", phase, names, execution="e", **options)

    def do(self, phase: str, nodes=NODES, playbooks=None, **options) -> None:
        done = PHASE_PLAYBOOKS[phase] if playbooks is None else playbooks
        self.begin(phase, nodes, first_playbook=done[0] if phase == "upgrade" else "", **options)
        for playbook in done:
            phases.finish_playbook(self.work_dir, "overcloud", phase, nodes, playbook)
        phases.finish(self.work_dir, "overcloud", phase, () if phase == "prepare" else nodes)

    @property
    def record(self) -> phases.PhaseRecord:
        return phases.read_record(self.work_dir, "overcloud")


@pytest.fixture
def plan(tmp_path):
    return Plan(tmp_path)


def test_the_whole_journey_in_order(plan):
    plan.do("prepare")
    plan.do("run")
    plan.do("upgrade", CONTROLLERS)
    plan.do("upgrade", COMPUTES)
    plan.do("converge")
    assert {plan.record.state(node, "converge") for node in NODES} == {"finished"}
    plan.do("prepare")
    assert plan.record.nodes == {}, "a new journey begins"


def test_run_before_prepare_names_the_nodes(plan):
    with pytest.raises(OutOfTurn, match="compute-0, controller-0, controller-1 has not finished prepare"):
        plan.begin("run")
    plan.begin("prepare")
    with pytest.raises(OutOfTurn, match="has not finished prepare"):
        plan.begin("run")


def test_run_is_not_repeated_where_it_has_finished(plan):
    plan.do("prepare")
    plan.do("run")
    with pytest.raises(OutOfTurn, match="has finished run already"):
        plan.begin("run")


def test_a_run_that_failed_may_be_prepared_and_run_again(plan):
    plan.do("prepare")
    plan.begin("run")
    plan.do("prepare")
    plan.do("run")


def test_upgrade_needs_run(plan):
    plan.do("prepare")
    with pytest.raises(OutOfTurn, match="compute-0 has not finished run"):
        plan.begin("upgrade", COMPUTES)


def test_converge_names_the_nodes_left_behind_and_records_nothing(plan):
    plan.do("prepare")
    plan.do("run")
    plan.do("upgrade", CONTROLLERS)
    with pytest.raises(OutOfTurn, match="is out of turn: compute-0 has not finished upgrade"):
        plan.begin("converge")
    assert plan.record.state("controller-0", "converge") == ""


def test_a_node_is_upgraded_when_all_three_playbooks_have_finished(plan):
    plan.do("prepare")
    plan.do("run")
    for playbook in PHASE_PLAYBOOKS["upgrade"]:
        assert plan.record.state("compute-0", "upgrade") != "finished"
        plan.do("upgrade", COMPUTES, playbooks=[playbook])
    assert plan.record.state("compute-0", "upgrade") == "finished"


def test_prepare_after_run_is_out_of_turn(plan):
    plan.do("prepare")
    plan.do("run")
    with pytest.raises(OutOfTurn, match="has finished run"):
        plan.begin("prepare")


def test_upgrade_after_converge_began_is_out_of_turn(plan):
    plan.do("prepare")
    plan.do("run")
    plan.do("upgrade")
    plan.begin("converge")
    with pytest.raises(OutOfTurn, match="has started converge"):
        plan.begin("upgrade", COMPUTES)


# What has been reached, the job beside the phases, and why it is not its turn then.
WAY = ("prepare", "run", "upgrade", "converge")
TURNS = [
    (0, "update", ""),
    (0, "external_update", ""),
    (0, "external_upgrade", "has not finished run"),
    (1, "update", "is being upgraded, it has finished prepare"),
    (1, "external_upgrade", "has not finished run"),
    (2, "update", "is being upgraded, it has finished run"),
    (2, "external_update", "is being upgraded, it has finished run"),
    (2, "external_upgrade", ""),
    (3, "update", "is being upgraded, it has finished upgrade"),
    (3, "external_upgrade", ""),
    (4, "update", ""),
    (4, "external_update", ""),
    (4, "external_upgrade", ""),
]


@pytest.mark.parametrize(("reached", "job", "why"), TURNS)
def test_what_is_run_beside_the_phases_has_its_turn_and_reaches_nothing(plan, reached, job, why):
    for phase in WAY[:reached]:
        plan.do(phase)
    before = plan.record
    if why:
        with pytest.raises(OutOfTurn, match=f"of plan overcloud is out of turn: compute-0 {why}"):
            plan.begin(job, COMPUTES)
        plan.begin(job, COMPUTES, force_reason="the vendor said so")
        assert [forced["phase"] for forced in plan.record.forced] == [job]
    else:
        plan.do(job, COMPUTES, playbooks=JOB_PLAYBOOKS[job])
        assert plan.record.forced == ()
    after = plan.record
    assert (after.prepare, after.nodes, after.playbooks) == (before.prepare, before.nodes, before.playbooks)


def test_nodes_that_were_added_after_an_upgrade_are_updated_as_the_others(plan):
    for phase in WAY:
        plan.do(phase)
    for job in JOB_PLAYBOOKS:
        plan.begin(job, (*NODES, "new-0"))
    plan.do("prepare")
    with pytest.raises(OutOfTurn, match="new-0 is being upgraded"):
        plan.begin("update", ("new-0",))


def test_an_update_is_out_of_turn_after_a_phase_that_was_forced(plan):
    plan.do("run", force_reason="the stack was updated by hand")
    assert plan.record.prepare == ""
    with pytest.raises(OutOfTurn, match="compute-0 is being upgraded, it has finished run"):
        plan.begin("update", COMPUTES)
    with pytest.raises(OutOfTurn, match="new-0 is of an overcloud that is being upgraded"):
        plan.begin("update", ("new-0",))
    for phase in WAY:
        plan.do(phase, force_reason="again")
    plan.begin("upgrade", CONTROLLERS, force_reason="once more", first_playbook=PHASE_PLAYBOOKS["upgrade"][0])
    for nodes in (COMPUTES, CONTROLLERS):
        with pytest.raises(OutOfTurn, match="is being upgraded"):
            plan.begin("update", nodes)


def test_an_update_is_out_of_turn_from_the_beginning_of_prepare_on(plan):
    plan.begin("prepare")
    with pytest.raises(OutOfTurn, match=r"Update of plan overcloud is out of turn: compute-0 .* has started prepare"):
        plan.begin("update", COMPUTES)


def test_converge_of_a_plan_without_nodes_says_that_nothing_ran(plan):
    with pytest.raises(OutOfTurn, match="no node of it has finished run"):
        plan.begin("converge", ())


def test_forcing_needs_a_reason_which_is_recorded(plan):
    plan.do("prepare")
    plan.do("run")
    plan.begin("converge", force_reason="computes are gone for good")
    (forced,) = plan.record.forced
    assert forced["reason"] == "computes are gone for good"
    assert forced["nodes"] == sorted(NODES)


def test_a_playbook_of_upgrade_needs_the_ones_before_it(plan):
    plan.do("prepare")
    plan.do("run")
    with pytest.raises(OutOfTurn, match=r"compute-0 has not finished upgrade_steps_playbook\.yaml"):
        plan.do("upgrade", COMPUTES, playbooks=["deploy_steps_playbook.yaml"])


def test_what_finished_of_an_upgrade_that_failed_counts(plan):
    plan.do("prepare")
    plan.do("run")
    plan.begin("upgrade", COMPUTES)
    phases.finish_playbook(plan.work_dir, "overcloud", "upgrade", COMPUTES, "upgrade_steps_playbook.yaml")
    for playbook in PHASE_PLAYBOOKS["upgrade"][1:]:
        plan.do("upgrade", COMPUTES, playbooks=[playbook])
    assert plan.record.state("compute-0", "upgrade") == "finished"


def test_an_upgrade_begun_again_forgets_what_it_will_repeat(plan):
    plan.do("prepare")
    plan.do("run")
    plan.do("upgrade", COMPUTES)
    plan.begin("upgrade", COMPUTES)
    with pytest.raises(OutOfTurn, match=r"has not finished upgrade_steps_playbook\.yaml"):
        plan.do("upgrade", COMPUTES, playbooks=["post_upgrade_steps_playbook.yaml"])
    assert plan.record.state("compute-0", "upgrade") == "started"


def test_a_check_records_nothing(plan):
    plan.do("prepare")
    assert phases.check(plan.work_dir, "overcloud", "run", NODES) == {}
    assert plan.record.nodes == {}


def test_an_action_that_is_sent_again_forces_once(plan):
    plan.do("prepare")
    plan.do("run")
    for _ in range(2):
        plan.begin("converge", force_reason="computes are gone for good")
    assert len(plan.record.forced) == 1


def test_force_goes_without_any_record(plan):
    plan.begin("converge", (), force_reason="the records were lost")


def test_the_stack_is_remembered(plan):
    plan.do("prepare", stack="cloud-7")
    plan.do("run")
    assert plan.record.stack == "cloud-7"


def test_what_is_limited_by_tags_sets_no_node_back_and_needs_no_playbook_before_it(plan):
    plan.do("prepare")
    plan.do("run")
    plan.do("upgrade", COMPUTES)
    for playbook in PHASE_PLAYBOOKS["upgrade"]:
        # The client of Train runs all three, each limited by the tags.
        plan.begin("upgrade", NODES, first_playbook=playbook, tags="validation")
    assert plan.record.state("compute-0", "upgrade") == "finished"
    assert plan.record.playbooks["compute-0"] == PHASE_PLAYBOOKS["upgrade"]
    assert plan.record.state("controller-0", "upgrade") == "started"
    with pytest.raises(OutOfTurn, match=r"has not finished upgrade_steps_playbook\.yaml"):
        plan.begin("upgrade", CONTROLLERS, first_playbook="deploy_steps_playbook.yaml")
    plan.do("upgrade", CONTROLLERS)
    plan.do("converge")
    plan.begin("converge", tags="validation")
    assert {plan.record.state(node, "converge") for node in NODES} == {"finished"}


def test_tags_do_not_go_before_the_order_of_the_phases(plan):
    plan.do("prepare")
    with pytest.raises(OutOfTurn, match="has not finished run"):
        plan.begin("upgrade", COMPUTES, first_playbook="deploy_steps_playbook.yaml", tags="validation")
