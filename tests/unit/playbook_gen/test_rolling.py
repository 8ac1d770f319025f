from __future__ import annotations

from support import queens_outputs

from tripleo_ffwd.playbook_gen.rolling import rolling_roles


def test_compute_of_the_real_overcloud_rolls_and_the_controller_does_not() -> None:
    assert rolling_roles(queens_outputs()["EnabledServices"]) == ("Compute",)


def test_worker_that_also_holds_a_part_of_the_control_plane_does_not_roll() -> None:
    base = ["nova_compute", "mysql_client", "neutron_ovs_agent", "ntp"]
    more = ["ceph_mon", "rabbitmq", "pacemaker_remote", "mysql", "neutron_api", "nova_placement", "swift_proxy"]
    assert rolling_roles({name: [*base, name] for name in more}) == ()
    assert rolling_roles({"HCI": [*base, "ceph_osd"], "Ceph": ["ceph_osd", "ntp"], "Other": ["ntp"]}) == ("HCI", "Ceph")
