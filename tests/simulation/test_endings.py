"""Finds of the simulation about ends that stay fixed, and what its checks of ends notice."""

from sync_platform.simulation.run import play

EVERYWHERE = ["person", 1, ["gorgias", "erp", "hubspot"], ["gorgias"]]
OTHER = ["person", 2, ["gorgias", "hubspot", "erp"], ["erp"]]


def test_what_was_deleted_while_the_answer_to_its_create_was_lost_is_known_to_be_gone():
    script = [
        EVERYWHERE,
        ["quiet"],
        ["ticket", "hubspot", 0, 1007],
        ["pull", "hubspot", "ticket"],
        ["fault", "lost_landed", 0],
        ["push", "erp", "ticket"],
        ["wait", 1],
        ["pull", "erp", "ticket"],
        ["delete", "erp", "ticket", 1],
        ["quiet"],
    ]
    assert play(script).violations == []


def test_a_delete_waits_for_a_read_that_began_after_it_was_seen():
    script = [
        ["means", "delete", "delete", "delete", "never"],
        EVERYWHERE,
        OTHER,
        ["quiet"],
        ["delete", "erp", "customer", 1],
        ["cycle"],
        ["quiet"],
    ]
    found = play(script)
    assert found.violations == []
    assert found.evaluated["I12"]
