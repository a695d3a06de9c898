"""The desk on PostgreSQL: two people at once, and the same answers as on SQLite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.web.conftest import client_of
from tests.web.filled import OPERATOR_TOKEN, filled_world
from tests.web.test_desk import SAME, WHY, hidden


def test_of_two_answers_at_the_same_moment_one_counts(tmp_path, postgres_url):
    with (
        filled_world(tmp_path, postgres_url) as made,
        client_of(made.settings, OPERATOR_TOKEN, "kim") as kim,
        client_of(made.settings, OPERATOR_TOKEN, "lou") as lou,
    ):
        numbers = made.numbers
        for path in ("/reviews", "/parked", "/plans", "/acts", f"/plans/{made.plan}", f"/reviews/{numbers['twin']}"):
            assert kim.get(path).status_code == 200, path
        pages = [
            (f"/reviews/{numbers['review']}", "/answer", {"answer": "choose:erp"}),
            (f"/parked/{numbers['parked']}", "/retry", {}),
            (f"/plans/{numbers['hold_erp']}", "/approve", {}),
            (f"/plans/{made.plan}", "/drop", {}),
        ]
        for page, below, form in pages:
            shown = [{**hidden(one, page), "why": WHY, **form} for one in (kim, lou)]
            with ThreadPoolExecutor(2) as pool:
                sent = [
                    pool.submit(one.post, page + below, data=data, headers=SAME)
                    for one, data in zip((kim, lou), shown, strict=True)
                ]
                answers = [one.result() for one in sent]
            assert sorted(one.status_code for one in answers) == [303, 409], page
        undo = f"/undo?record={made.records['conflict']}"
        assert kim.get(undo).status_code == 200
        made.desk.settled()
        ids = made.ids["review"]
        assert made.desk.row("hubspot", "customer", ids["hubspot"])["properties"]["company"] == "Copper Lamp Ltd"
        note = made.desk.row("gorgias", "customer", made.ids["parked"]["gorgias"])["note"]
        assert note == "Rings at the back door"
