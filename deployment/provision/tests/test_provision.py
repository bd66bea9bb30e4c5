"""All of provision against a server that speaks the API: what is made, again, drift, every refusal."""

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
    # An action is done when it is first asked for; waiting between is Hetzner's courtesy, not ours.
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
    code, said = console.run("plan")
    assert code == 2
    assert said.splitlines()[-1] == "8 to make, 0 to leave"
    assert (
        "+ firewall archive: rules icmp from 0.0.0.0/0 ::/0; tcp 22 from 198.51.100.0/24 2001:db8::/32"
        in said
    )
    assert api.writes == []


def test_an_empty_project_gets_all_of_it_protected(console: Console, api: FakeHetzner) -> None:
    code, said = console.run("apply")
    assert code == 0, said
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
    assert f"archive.example.org: A {ips[0]['ip']}" in said
    (made,) = (body for body in api.bodies if "user_data" in body)
    assert made["user_data"].startswith("#cloud-config\n")
    assert f"HC_Volume_{volume['id']}" in made["user_data"]
    ports = {(rule["protocol"], rule["port"]) for rule in _one(api, "firewalls", "archive")["rules"]}
    assert ports == {("tcp", "22"), ("tcp", "80"), ("tcp", "443"), ("udp", "443"), ("icmp", None)}


def test_again_nothing_is_written(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    before = len(api.writes)
    assert console.run("apply")[1].splitlines()[0] == "nothing to change"
    assert console.run("plan")[0] == 0
    assert len(api.writes) == before


def test_what_somebody_changed_is_shown_and_mended(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    wall = _one(api, "firewalls", "archive")
    wall["rules"].append({**wall["rules"][0], "protocol": "tcp", "port": "6379", "source_ips": ["0.0.0.0/0"]})
    _one(api, "servers", "archive")["backup_window"] = None
    _one(api, "servers", "archive")["public_net"]["firewalls"] = []
    _one(api, "servers", "archive")["volumes"] = []
    _one(api, "volumes", "archive-data")["protection"]["delete"] = False
    _one(api, "primary_ips", "archive-ipv4")["auto_delete"] = True
    api.state.rrsets["archive/A"]["records"] = [{"value": "203.0.113.9", "comment": ""}]
    code, said = console.run("plan")
    assert code == 2
    assert "~ firewall archive: rules is" in said
    assert "tcp 6379 from 0.0.0.0/0" in said
    assert "~ server archive: backups is off, wanted on" in said
    assert "~ server archive: firewall is nothing, wanted archive" in said
    assert "~ server archive: volume is nothing, wanted archive-data" in said
    assert "~ volume archive-data: protected is no, wanted yes" in said
    assert "~ primary_ip archive-ipv4: survives is no, wanted yes" in said
    assert "~ rrset archive/A: records is 203.0.113.9" in said
    assert console.run("apply")[0] == 0
    assert console.run("plan") == (0, "nothing to change\n")


def test_a_disk_grows_and_never_shrinks(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    assert console.run("apply", volume_gb="500")[0] == 0
    assert _one(api, "volumes", "archive-data")["size"] == 500
    before = len(api.writes)
    code, said = console.run("apply", volume_gb="300")
    assert (code, len(api.writes)) == (0, before)
    assert "! volume archive-data: size is 500 GB, wanted 300 GB (a Volume cannot shrink" in said


def test_another_cloud_config_never_replaces_a_server(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    number, before = _one(api, "servers", "archive")["id"], len(api.writes)
    code, said = console.run("apply", image_prefix='"registry.test/other"')
    assert "! server archive: user_data is" in said
    assert "a server is never replaced for it" in said
    assert (code, len(api.writes), _one(api, "servers", "archive")["id"]) == (0, before, number)


def test_a_stop_in_the_middle_is_gone_on_from(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault("POST /servers", 500, "server_error"))
    code, said = console.run("apply")
    assert (code, "refused: Hetzner refuses: server_error on command" in said) == (1, True)
    kept = {kind: set(api.state.objects[kind]) for kind in ("volumes", "primary_ips", "firewalls")}
    assert console.run("apply")[0] == 0
    assert kept == {kind: set(api.state.objects[kind]) for kind in kept}


REFUSALS = {
    "unknown type": ({"server_type": '"cx99"'}, "Hetzner has no server_type cx99; choose one of cax21"),
    "too small": ({"server_type": '"cx23"'}, "has 2 cores and 40 GB of disk; the archive wants 2 and 80"),
    "no such place": ({"location": '"hel1"'}, "is not offered in hel1; choose one of fsn1, nbg1"),
    "a misspelt name": ({"sever_type": '"cx33"'}, "sever_type: Extra inputs are not permitted"),
    "no key": ({"admin_key": '"AAAA"'}, "admin_key: Value error, is no public ed25519"),
    "another zone": ({"zone": '"example.net"'}, "archive.example.org does not lie in the zone example.net"),
    "no networks": ({"ssh_from": "[]"}, "ssh_from: Tuple should have at least 1 item"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_settings_that_cannot_be_are_refused_before_anything_is_made(
    console: Console, api: FakeHetzner, name: str
) -> None:
    changed, sentence = REFUSALS[name]
    code, said = console.run("apply", **changed)
    assert (code, api.writes) == (1, [])
    assert said.startswith("refused: ")
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_a_wrong_token_is_refused(console: Console, api: FakeHetzner) -> None:
    code, said = console.run("apply", token="wrong")  # noqa: S106 - that is the point
    assert (code, api.writes) == (1, [])
    assert "refused: Hetzner does not know this token; make one with read and write" in said
    assert console.run("apply", token="")[1].startswith("refused: there is no token")


def test_a_name_that_is_taken_is_refused_before_anything_is_made(console: Console, api: FakeHetzner) -> None:
    api.state.add("ssh_keys", {"name": "archive-admin", "public_key": "ssh-ed25519 AAAA"})
    code, said = console.run("apply")
    assert (code, api.writes) == (1, [])
    assert "there is a ssh_key archive-admin that provision did not make; rename or remove it" in said


def test_a_name_taken_meanwhile_is_told(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault("POST /firewalls", 409, "uniqueness_error"))
    code, said = console.run("apply")
    assert (code, "or this SSH key, is taken by an object that provision did not make" in said) == (1, True)


def test_too_many_questions_are_asked_again(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault("GET /servers", 429, "rate_limit_exceeded", times=3))
    assert console.run("apply")[0] == 0
    api.faults.append(Fault("GET /servers", 429, "rate_limit_exceeded", times=99))
    code, said = console.run("apply")
    assert (code, "wait some minutes and run it again" in said) == (1, True)


def test_a_type_that_is_sold_out_stops_before_anything_costs(console: Console, api: FakeHetzner) -> None:
    api.state.sold_out = {"cx33"}
    code, said = console.run("apply")
    assert (code, api.writes) == (1, [])
    assert "server_type cx33 is sold out in nbg1; choose another type" in said


def test_a_type_sold_out_meanwhile_is_told(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault("POST /servers", 412, "resource_unavailable"))
    code, said = console.run("apply")
    assert (code, "what was made so far is found again" in said) == (1, True)


def test_a_step_that_fails_later_is_told_and_gone_on_from(console: Console, api: FakeHetzner) -> None:
    api.faults.append(Fault(r"POST /servers/\d+/actions/enable_backup", 0, "", failed_action=True))
    code, said = console.run("apply")
    assert (code, "Hetzner began and failed" in said) == (1, True)
    assert console.run("apply")[0] == 0
    assert _one(api, "servers", "archive")["protection"]["delete"]


def test_destroy_wants_the_name_and_keeps_archive_and_addresses(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    before = len(api.writes)
    code, said = console.run("destroy")
    assert (code, len(api.writes)) == (1, before)
    assert "--yes archive" in said
    code, said = console.run("destroy", "--yes", "archive")
    assert code == 0, said
    left = {
        kind: [one["name"] for one in found.values()] for kind, found in api.state.objects.items() if found
    }
    assert left == {"volumes": ["archive-data"], "primary_ips": ["archive-ipv4", "archive-ipv6"]}
    assert api.state.rrsets == {}
    assert said.count("kept ") == 3


def test_a_new_machine_takes_up_what_the_old_one_left(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    volume = _one(api, "volumes", "archive-data")["id"]
    console.run("destroy", "--yes", "archive")
    assert console.run("apply")[0] == 0
    assert _one(api, "servers", "archive")["volumes"] == [volume]


def test_the_archive_goes_only_when_it_is_named(console: Console, api: FakeHetzner) -> None:
    console.run("apply")
    code, said = console.run("destroy", "--yes", "archive", "--also", "archive-dada")
    assert (code, "there is no archive-dada of ours; nothing was removed" in said) == (1, True)
    assert console.run("destroy", "--yes", "archive", "--also", "archive-data")[0] == 0
    assert api.state.objects["volumes"] == {}


def test_without_a_zone_no_record_is_touched(console: Console, api: FakeHetzner) -> None:
    code, said = console.run("apply", zone="")
    assert (code, api.state.rrsets) == (0, {})
    assert "AAAA 2001:db8:" in said
