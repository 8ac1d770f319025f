"""The compile, from outputs to tree: names the stages and does nothing else; no I/O, no clock."""

from __future__ import annotations

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import PHASE_PLAYBOOKS
from tripleo_ffwd.playbook_gen import inventory, manifest, ordering, playbooks
from tripleo_ffwd.playbook_gen.loading import load_outputs
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.program import load_program
from tripleo_ffwd.playbook_gen.stages import Compiled, Stager
from tripleo_ffwd.playbook_gen.tree import Manifest, PlaybookTree


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
    names = playbooks_of(options.phase)
    model = load_outputs(outputs)
    order = ordering.find(model, options)
    program = load_program(model, names, order, options)
    missing = playbooks.missing_inputs(program)
    merged = inventory.check_given(options.config_download or {}, model)
    texts = {path: text for path, text in program.texts.items() if path not in merged}
    files = {**texts, **playbooks.task_files(program)}
    folded: set[str] = set()
    compiled: list[Compiled] = []
    notes = list(program.notes)
    releases: tuple[str, ...] = ()
    for name in names:
        stager = Stager(model, program, name, options.phase, options.releases)
        stages = stager.stages()
        files |= playbooks.playbook_files(name, stages)
        compiled += stages
        notes += stager.unroller.notes
        folded |= stager.folded
        releases = releases or stager.unroller.releases
    files |= inventory.inventory_files(model, options, files)
    ordered = tuple(sorted(files.items()))
    digest, hashes = manifest.digest_of(ordered)
    found = Manifest(
        digest=digest,
        version=manifest.VERSION,
        releases=releases or ordering.releases_of(model, options),
        roles=model.roles,
        bootstrap=inventory.bootstrap_of(model),
        task_order=order,
        stages=tuple(item.stage for item in compiled),
        files=hashes,
        rewritten=tuple(dict.fromkeys(notes)),
        modules=manifest.count(module for item in compiled for module in item.modules),
        folded=tuple(sorted(folded)),
        missing_inputs=tuple(missing),
    )
    return PlaybookTree(ordered, found.to_dict())


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
