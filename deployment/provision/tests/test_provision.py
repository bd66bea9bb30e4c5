"""Provision against a fake of the API: create, run again, drift, and every refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployment.provision.tests.running import Console
from testing.fakes.hetzner import FakeHetzner, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHetzner]:
    # The fake finishes an action before it is first polled; no poll needs to wait.
    monkeypatch.setattr("hcloud._client.time.sleep", lambda _: None)
    with FakeHetzner() as fake:
        yield fake


@pytest.fixture
def console(
    api: FakeHetzner, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Console:
    return Console(api, tmp_path, capsys, monkeypatch)


def _one(api: FakeHetzner, kind: str, name: str) -> dict[str, Any]:
    (found,) = (one for one in api.state.objects[kind].values() if one["name"] == name)
    return found


def test_a_plan_shows_everything_and_writes_nothing(console: Console, api: FakeHetzner) -> None:
    code, text = console.run("plan")
    assert code == 2
    assert text.splitlines()[-1] == "8 to apply, 0 to leave"
    assert (
        "+ firewall archive: rules icmp from 0.0.0.0/0 ::/0; tcp 22 from 198.51.100.0/24 2001:db8::/32"
        in text
    )
    assert api.writes == []


def test_an_empty_project_gets_every_resource_protected(console: Console, api: FakeHetzner) -> None:
    code, text = console.run("apply")
    assert code == 0, text
    server = _one(api, "servers", "archive")
    assert server["protection"] == {"delete": True, "rebuild": True}
    assert server["backup_window"]
    volume = _one(api, "volumes", "archive-data")
    assert server["volumes"] == [volume["id"]]
    assert (volume["protection"], volume["format"]) == ({"delete": True}, "ext4")
    ips = [_one(api, "primary_ips", f"archive-{version}") for version in ("ipv4", "ipv6")]
    assert [(ip["auto_delete"], ip["protection"]) for ip in ips] == [(False, {"delete": True})] * 2
    records = {key: one["records"][0]["value"] for key, one in api.state.rrsets.items()}
    assert records == {"archive/A": ips[0]["ip"], "archive/AAAA": ips[1]["ip"].replace("/64", "1")}
    assert f"archive.example.org: A {ips[0]['ip']}" in text
    (made,) = (body for body in api.bodies if "user_data" in body)
    assert made["user_data"].startswith("#cloud-config\n")
    assert f"HC_Volume_{volume['id']}" in made["user_data"]
    ports = {(rule["protocol"], rule["port"]) for rule in _one(api, "firewalls", "archive")["rules"]}
    assert ports == {("tcp", "22"), ("tcp", "80"), ("tcp", "443"), ("udp", "443"), ("icmp", None)}


def test_a_second_run_writes_nothing(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    before = len(api.writes)
    assert console.run("apply")[1].splitlines()[0] == "nothing to change"
    assert console.run("plan")[0] == 0
    assert len(api.writes) == before


def test_drift_is_shown_and_corrected(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    wall = _one(api, "firewalls", "archive")
    wall["rules"].append({**wall["rules"][0], "protocol": "tcp", "port": "6379", "source_ips": ["0.0.0.0/0"]})
    _one(api, "servers", "archive")["backup_window"] = None
    _one(api, "servers", "archive")["public_net"]["firewalls"] = []
    _one(api, "servers", "archive")["volumes"] = []
    _one(api, "volumes", "archive-data")["protection"]["delete"] = False
    _one(api, "primary_ips", "archive-ipv4")["auto_delete"] = True
    api.state.rrsets["archive/A"]["records"] = [{"value": "203.0.113.9", "comment": ""}]
    code, text = console.run("plan")
    assert code == 2
    assert "~ firewall archive: rules is" in text
    assert "tcp 6379 from 0.0.0.0/0" in text
    assert "~ server archive: backups is off, desired on" in text
    assert "~ server archive: firewall is nothing, desired archive" in text
    assert "~ server archive: volume is nothing, desired archive-data" in text
    assert "~ volume archive-data: protected is no, desired yes" in text
    assert "~ primary_ip archive-ipv4: survives is no, desired yes" in text
    assert "~ rrset archive/A: records is 203.0.113.9" in text
    assert console.run("apply")[0] == 0
    assert console.run("plan") == (0, "nothing to change\n")


def test_a_volume_grows_and_never_shrinks(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    assert console.run("apply", volume_gb="500")[0] == 0
    assert _one(api, "volumes", "archive-data")["size"] == 500
    before = len(api.writes)
    code, text = console.run("apply", volume_gb="300")
    assert (code, len(api.writes)) == (0, before)
    assert "! volume archive-data: size is 500 GB, desired 300 GB (a Volume cannot shrink" in text


def test_another_cloud_config_never_replaces_a_server(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    number, before = _one(api, "servers", "archive")["id"], len(api.writes)
    code, text = console.run("apply", image_prefix='"registry.test/other"')
    assert "! server archive: user_data is" in text
    assert "a server is never replaced for it" in text
    assert (code, len(api.writes), _one(api, "servers", "archive")["id"]) == (0, before, number)


def test_an_interrupted_run_can_be_continued(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault("POST /servers", 500, "server_error"))
    code, text = console.run("apply")
    assert (code, "refused: Hetzner refuses: server_error on command" in text) == (1, True)
    created = {kind: set(api.state.objects[kind]) for kind in ("volumes", "primary_ips", "firewalls")}
    assert console.run("apply")[0] == 0
    assert created == {kind: set(api.state.objects[kind]) for kind in created}


REFUSALS = {
    "unknown type": ({"server_type": '"cx99"'}, "Hetzner has no server_type cx99; choose one of cax21"),
    "too small": ({"server_type": '"cx23"'}, "has 2 cores and 40 GB of disk; the archive needs 2 and 80"),
    "no such place": ({"location": '"hel1"'}, "is not offered in hel1; choose one of fsn1, nbg1"),
    "a misspelt name": ({"sever_type": '"cx33"'}, "sever_type: Extra inputs are not permitted"),
    "no key": ({"admin_key": '"AAAA"'}, "admin_key: Value error, is not a public ed25519"),
    "another zone": ({"zone": '"example.net"'}, "archive.example.org does not lie in the zone example.net"),
    "no networks": ({"ssh_from": "[]"}, "ssh_from: Tuple should have at least 1 item"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_unusable_settings_are_refused_before_anything_is_created(
    console: Console, api: FakeHetzner, name: str
) -> None:
    changed, sentence = REFUSALS[name]
    code, text = console.run("apply", **changed)
    assert (code, api.writes) == (1, [])
    assert text.startswith("refused: ")
    assert sentence in text
    assert len(text.splitlines()) == 1


def test_a_wrong_token_is_refused(console: Console, api: FakeHetzner) -> None:
    code, text = console.run("apply", token="wrong")  # noqa: S106 - that is the point
    assert (code, api.writes) == (1, [])
    assert "refused: Hetzner does not know this token; make one with read and write" in text
    assert console.run("apply", token="")[1].startswith("refused: there is no token")


def test_a_name_that_is_taken_is_refused_before_anything_is_created(
    console: Console, api: FakeHetzner
) -> None:
    api.state.add("ssh_keys", {"name": "archive-admin", "public_key": "ssh-ed25519 AAAA"})
    code, text = console.run("apply")
    assert (code, api.writes) == (1, [])
    assert "there is a ssh_key archive-admin that provision did not create; rename or remove it" in text


def test_a_name_taken_during_the_run_is_reported(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault("POST /firewalls", 409, "uniqueness_error"))
    code, text = console.run("apply")
    assert (code, "or this SSH key, is taken by an object that provision did not create" in text) == (1, True)


def test_rate_limited_requests_are_repeated(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault("GET /servers", 429, "rate_limit_exceeded", times=3))
    assert console.run("apply")[0] == 0
    api.faults.append(Fault("GET /servers", 429, "rate_limit_exceeded", times=99))
    code, text = console.run("apply")
    assert (code, "wait some minutes and run it again" in text) == (1, True)


def test_a_sold_out_type_is_refused_before_anything_costs_money(console: Console, api: FakeHetzner) -> None:
    api.state.sold_out = {"cx33"}
    code, text = console.run("apply")
    assert (code, api.writes) == (1, [])
    assert "server_type cx33 is sold out in nbg1; choose another type" in text


def test_a_type_sold_out_during_the_run_is_reported(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault("POST /servers", 412, "resource_unavailable"))
    code, text = console.run("apply")
    assert (code, "objects created so far are found again" in text) == (1, True)


def test_a_failed_action_is_reported_and_can_be_repeated(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault(r"POST /servers/\d+/actions/enable_backup", 0, "", failed_action=True))
    code, text = console.run("apply")
    assert (code, "an action at Hetzner failed" in text) == (1, True)
    assert console.run("apply")[0] == 0
    assert _one(api, "servers", "archive")["protection"]["delete"]


def test_destroy_needs_the_name_and_retains_archive_and_addresses(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    before = len(api.writes)
    code, text = console.run("destroy")
    assert (code, len(api.writes)) == (1, before)
    assert "--yes archive" in text
    code, text = console.run("destroy", "--yes", "archive")
    assert code == 0, text
    left = {
        kind: [one["name"] for one in found.values()] for kind, found in api.state.objects.items() if found
    }
    assert left == {"volumes": ["archive-data"], "primary_ips": ["archive-ipv4", "archive-ipv6"]}
    assert api.state.rrsets == {}
    assert text.count("retained ") == 3


def test_a_new_machine_uses_the_volume_of_the_old_one(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    volume = _one(api, "volumes", "archive-data")["id"]
    console.run("destroy", "--yes", "archive")
    assert console.run("apply")[0] == 0
    assert _one(api, "servers", "archive")["volumes"] == [volume]


def test_the_volume_is_deleted_only_when_it_is_named(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    code, text = console.run("destroy", "--yes", "archive", "--also", "archive-dada")
    assert (code, "there is no archive-dada of ours; nothing was deleted" in text) == (1, True)
    assert console.run("destroy", "--yes", "archive", "--also", "archive-data")[0] == 0
    assert api.state.objects["volumes"] == {}


def test_without_a_zone_no_record_is_changed(console: Console, api: FakeHetzner) -> None:
    code, text = console.run("apply", zone="")
    assert (code, api.state.rrsets) == (0, {})
    assert "AAAA 2001:db8:" in text
