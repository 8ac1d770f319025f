"""The compile, from outputs to tree: names the stages and does nothing else; no I/O, no clock."""

from __future__ import annotations

import dataclasses

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import JOB_PLAYBOOKS, PHASE_PLAYBOOKS
from tripleo_ffwd.playbook_gen import (
    bounds,
    building,
    deployments,
    garbage,
    inventory,
    manifest,
    modules,
    no_return,
    ordering,
    patterns,
    playbooks,
    rolling,
)
from tripleo_ffwd.playbook_gen.loading import Outputs, load_outputs
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.program import load_program
from tripleo_ffwd.playbook_gen.reading import TreeReader
from tripleo_ffwd.playbook_gen.stages import Compiled, Stager
from tripleo_ffwd.playbook_gen.traits import Traits
from tripleo_ffwd.playbook_gen.tree import Manifest, PlaybookTree

# Playbooks that no phase runs, compiled where the outputs have them: what rolls before an upgrade, and what is run
# beside the phases.
_OTHERS = (
    *JOB_PLAYBOOKS["update"],
    "pre_upgrade_rolling_steps_playbook.yaml",
    *JOB_PLAYBOOKS["external_update"],
    *JOB_PLAYBOOKS["external_upgrade"],
)


@garbage.kept()
def compile_playbooks(outputs: object, options: GenerateOptions) -> PlaybookTree:
    """Return the tree of playbooks for a stack's outputs; the same input gives the same tree.

    Args:
        outputs: a list of ``{output_key, output_value}``, as Heat returns it, or a mapping; see `loading.as_mapping`.
        options: phase, releases, order, how the nodes are reached.

    Raises:
        MalformedOutputs: the outputs lack something or hold nonsense; the message names it.
        UnsupportedConstruct: the templates use something that can't be compiled safely.
        InvalidInput: an option is wrong.
    """
    model = load_outputs(outputs)
    if options.deployments is not None:
        options = dataclasses.replace(options, config_download=deployments.files_of(options.deployments, model))
    names = _names(model, options)
    options = dataclasses.replace(options, phase=None) if options.only else options
    model, built = building.complete(model, names, options)
    order = ordering.find(model, options)
    program = load_program(model, names, order, options)
    missing = playbooks.missing_inputs(program, model, options.config_download)
    merged = inventory.check_given(options.config_download or {}, model)
    texts = {path: text for path, text in program.texts.items() if path not in merged}
    groups = patterns.Groups(model)
    folded: set[str] = set()
    compiled: list[Compiled] = []
    notes = list(program.notes)
    releases: tuple[str, ...] = ()
    traits = Traits(program)
    parsed = traits.copies.written()
    for name in names:
        stager = Stager(model, groups, traits, name, options)
        stages = stager.stages()
        parsed |= playbooks.playbook_files(name, stages, traits.copies)
        compiled += stages
        notes += stager.unroller.notes
        folded |= stager.folded
        releases = releases or stager.unroller.releases
    parsed |= traits.copies.files
    files = {**texts, **playbooks.texts_of(parsed, names)}
    files |= inventory.inventory_files(model, options, files)
    ordered = tuple(sorted(files.items()))
    digest, hashes = manifest.digest_of(ordered)
    reader = TreeReader(files.get, parsed)
    plays = [play for name in names for play in reader.stages(name)]
    point = no_return.find(plays, [item.stage for item in compiled])
    found = Manifest(
        digest=digest,
        version=manifest.VERSION,
        releases=releases or ordering.releases_of(model, options),
        roles=model.roles,
        rolling=rolling.rolling_roles(model.enabled_services),
        bootstrap=inventory.bootstrap_of(model),
        task_order=order,
        stages=tuple(item.stage for item in compiled),
        files=hashes,
        rewritten=tuple(dict.fromkeys(notes)),
        modules=modules.needed(plays),
        missing_modules=None,
        point_of_no_return=point.to_dict() if point else None,
        folded=tuple(sorted(folded)),
        built=built,
        missing_inputs=tuple(missing),
    )
    return PlaybookTree(ordered, found.to_dict())


def _names(model: Outputs, options: GenerateOptions) -> tuple[str, ...]:
    """Return the playbooks to compile."""
    others = tuple(name for name in _OTHERS if model.role_config.get(name.removesuffix(".yaml")) is not None)
    if options.only:
        known = (*playbooks_of(None), *others)
        unknown = [name for name in options.only if name not in known]
        if unknown:
            raise InvalidInput(
                f"the outputs have no playbook {bounds.shown(unknown[0])}", remedy=f"Name one of {', '.join(known)}"
            )
        return options.only
    if options.phase is not None:
        return playbooks_of(options.phase)
    return (*(name for name in playbooks_of(None) if not building.absent(model, name)), *others)


def playbooks_of(phase: str | None) -> tuple[str, ...]:
    """Return the playbooks of a phase in order, or all four for None.

    Raises:
        InvalidInput: the phase has no playbooks.
    """
    if phase is None:
        return (*PHASE_PLAYBOOKS["run"], *PHASE_PLAYBOOKS["upgrade"])
    if not PHASE_PLAYBOOKS.get(phase):
        known = ", ".join(name for name, found in PHASE_PLAYBOOKS.items() if found)
        raise InvalidInput(f"phase {phase!r} has no playbooks", remedy=f"Name one of {known}")
    return PHASE_PLAYBOOKS[phase]
