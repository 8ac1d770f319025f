"""What a directory of templates is rendered to, and how it is said what can't be."""

from __future__ import annotations

import pytest

from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.plan import places
from tripleo_ffwd.plan.rendering import render_tree

ROLES = "- name: Controller\n- name: Compute\n"


def lay_out(root, **files: str):
    for name, text in {"roles_data.yaml": ROLES, "network_data.yaml": "[]\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_folder_finds_its_own_parts_first_and_then_those_at_the_top(tmp_path):
    root = lay_out(
        tmp_path,
        **{"part.j2": "top", "own/part.j2": "own", "a.j2.yaml": "{% include 'part.j2' %}\n"},
        **{"own/b.j2.yaml": "{% include 'part.j2' %}", "other/c.role.j2.yaml": "{{role.name}} {% include 'part.j2' %}"},
    )
    made = render_tree(root, ["a.j2.yaml", "own/b.j2.yaml", "other/c.role.j2.yaml"])
    assert {name: (root / name).read_text() for name in made} == {
        "a.yaml": "top",
        "own/b.yaml": "own",
        "other/controller-c.yaml": "Controller top",
        "other/compute-c.yaml": "Compute top",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("one\n{{ roles[0].nothing.name }}\n", r"a.j2.yaml: line 2: .*has no attribute 'nothing'"),
        ("{# a\ncomment #}\n{% if roles %}\n{{ roles }}\n", r"a.j2.yaml: line 4: Unexpected end of template"),
        ("one\n\n{{ roles | unknown }}", r"a.j2.yaml: line 3: No filter named 'unknown'"),
        ("one\n{% include 'no.j2' %}", r"a.j2.yaml: line 2: there is no template no.j2"),
        ("one\n{{ roles.__class__.__mro__ }}", r"a.j2.yaml: line 2: access to attribute '__class__'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, told):
    root = lay_out(tmp_path, **{"a.j2.yaml": text})
    with pytest.raises(InvalidTemplates, match=told):
        render_tree(root, ["a.j2.yaml"])


def test_yaml_that_libyaml_refuses_and_heat_takes_is_read(tmp_path):
    root = lay_out(tmp_path, **{"roles_data.yaml": "- name: Controller\n  more: {get_attr:[Controller, name]}\n"})
    (root / "a.j2.yaml").write_text("{{ roles[0].name }}")
    assert render_tree(root, ["a.j2.yaml"]) == ("a.yaml",)
    assert places.Files(root).load("roles_data.yaml")[0]["name"] == "Controller"
    (root / "roles_data.yaml").write_text("- name: Controller\n  more: {a: b\n")
    with pytest.raises(InvalidTemplates, match=r"roles_data.yaml: The file is not YAML: line 3"):
        render_tree(root, ["a.j2.yaml"])
