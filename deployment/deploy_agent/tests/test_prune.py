"""What makes room: our own old releases past the last three, and never anybody else's."""

from __future__ import annotations

from deployment.deploy_agent.prune import droppable, kept

OURS = "ghcr.io/me/archive"


def test_the_last_three_that_worked_stay_and_what_links_lead_to() -> None:
    worked = {"one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0}
    assert kept(worked, {"one"}) == {"one", "two", "three", "four"}
    assert kept(worked, {"four"}) == {"two", "three", "four"}
    assert kept({}, set()) == set()


def test_only_ours_and_what_our_dropped_releases_named_go() -> None:
    here = [
        f"{OURS}/jetstream@sha256:old",
        f"{OURS}/jetstream@sha256:new",
        "prom/prometheus@sha256:old",
        "prom/prometheus@sha256:new",
        "somebody/else@sha256:x",
        f"{OURS}-of-another/jetstream@sha256:y",
    ]
    dropped = {f"{OURS}/jetstream@sha256:old", "prom/prometheus@sha256:old", "prom/prometheus@sha256:new"}
    needed = {f"{OURS}/jetstream@sha256:new", "prom/prometheus@sha256:new"}
    assert droppable(here, OURS, dropped, needed) == [
        f"{OURS}/jetstream@sha256:old",
        "prom/prometheus@sha256:old",
    ]


def test_what_no_release_names_goes_too_if_it_is_ours() -> None:
    assert droppable([f"{OURS}/redis@sha256:orphan"], OURS, set(), set()) == [f"{OURS}/redis@sha256:orphan"]
