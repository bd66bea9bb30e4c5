"""Hetzner's API over HTTP on 127.0.0.1: paged lists, actions, a log of writes, and faults on request."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from testing.fakes.hetzner.state import CREATED, Answer, State, chosen, page, refuse, rrset, rules, zone

if TYPE_CHECKING:
    from types import TracebackType

TOKEN = "t" * 64
SINGULAR = {
    "ssh_keys": "ssh_key",
    "firewalls": "firewall",
    "primary_ips": "primary_ip",
    "volumes": "volume",
    "servers": "server",
}


@dataclass
class Fault:
    """A refusal of the next `times` requests that match `request`, a regular expression."""

    request: str
    status: int
    code: str
    times: int = 1
    failed_action: bool = False
    """The request is accepted; its action fails later."""


@dataclass
class FakeHetzner:
    """The server, as a context manager; tests may change `state`, as a person in the console would."""

    state: State = field(default_factory=State)
    faults: list[Fault] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    _actions: dict[int, dict[str, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        """Listen on a free port."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                status, answer = fake._take(
                    self.command, self.path, self.headers.get("Authorization", ""), body
                )
                data = json.dumps(answer).encode() if status != 204 else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                """Log nothing: `asked` is the log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """Value of HCLOUD_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def _take(self, method: str, path: str, authorization: str, body: dict[str, Any]) -> Answer:
        with self._lock:
            parts = urlsplit(path)
            request = f"{method} {parts.path}"
            self.asked.append(request)
            if authorization != f"Bearer {TOKEN}":
                return refuse(401, "unauthorized", "unable to authenticate")
            fault = next(
                (one for one in self.faults if one.times and re.fullmatch(one.request, request)), None
            )
            if fault is not None:
                fault.times -= 1
                if not fault.failed_action:
                    return refuse(fault.status, fault.code, f"{fault.code} on command")
            if method == "GET":
                return self._read(parts.path, parse_qs(parts.query))
            self.writes.append(request)
            self.bodies.append(body)
            return self._write(method, parts.path.strip("/").split("/"), body, failed=fault is not None)

    def _read(  # noqa: PLR0911 - one line an address
        self, path: str, query: dict[str, list[str]]
    ) -> Answer:
        words = path.strip("/").split("/")
        match words:
            case ["server_types"]:
                return page("server_types", self.state.types(), query)
            case ["zones", name] if name in self.state.zones:
                return 200, {"zone": zone(name)}
            case ["zones", name, "rrsets"] if name in self.state.zones or name == "1":
                return page(
                    "rrsets", [one for one in self.state.rrsets.values() if chosen(one, query)], query
                )
            case ["actions"]:
                wanted = {int(number) for number in query.get("id", [])}
                found = [one for number, one in self._actions.items() if number in wanted]
                for one in found:
                    one.update(one.pop("then", {}))
                return page("actions", found, query)
            case ["actions", number]:
                action = self._actions[int(number)]
                action.update(action.pop("then", {}))
                return 200, {"action": action}
            case [kind] if kind in SINGULAR:
                return page(
                    kind, [one for one in self.state.objects[kind].values() if chosen(one, query)], query
                )
        return refuse(404, "not_found", f"there is no {path}")

    def _write(  # noqa: PLR0911 - one line an address
        self, method: str, words: list[str], body: dict[str, Any], *, failed: bool
    ) -> Answer:
        match method, words:
            case "POST", ["zones", _, "rrsets"]:
                key = f"{body['name']}/{body['type']}"
                if key in self.state.rrsets:
                    return refuse(409, "uniqueness_error", "RRSet already exists")
                self.state.rrsets[key] = rrset(key, body)
                return 201, {"rrset": self.state.rrsets[key], "action": self._action(failed=failed)}
            case _, ["zones", _, "rrsets", name, kind, *rest]:
                return self._write_rrset(method, f"{name}/{kind}", rest, body)
            case "POST", [kind] if kind in SINGULAR:
                return self._create(kind, body, failed=failed)
            case "PUT", [kind, number] if kind in SINGULAR:
                self.state.objects[kind][int(number)].update(body)
                return 200, {SINGULAR[kind]: self.state.objects[kind][int(number)]}
            case "DELETE", [kind, number] if kind in SINGULAR:
                return self._delete(kind, int(number))
            case "POST", [kind, number, "actions", what] if kind in SINGULAR:
                return self._act(self.state.objects[kind][int(number)], what, body, failed=failed)
        return refuse(404, "not_found", f"not supported: {method} {'/'.join(words)}")

    def _create(self, kind: str, body: dict[str, Any], *, failed: bool) -> Answer:
        if any(one["name"] == body["name"] for one in self.state.objects[kind].values()):
            return refuse(409, "uniqueness_error", f"{SINGULAR[kind]} name is already used")
        if kind == "servers" and body["server_type"] in self.state.sold_out:
            return refuse(412, "resource_unavailable", "server type is out of stock")
        made = self.state.add(kind, body)
        answer: dict[str, Any] = {SINGULAR[kind]: made}
        if kind in ("volumes", "servers"):
            answer |= {"action": self._action(failed=failed), "next_actions": [self._action()]}
        if kind == "servers":
            answer["root_password"] = None
        return 201, answer

    def _delete(self, kind: str, number: int) -> Answer:
        if self.state.objects[kind][number].get("protection", {}).get("delete"):
            return refuse(423, "protected", "delete protection is on")
        if kind == "firewalls" and any(
            number in [wall["id"] for wall in one["public_net"]["firewalls"]]
            for one in self.state.objects["servers"].values()
        ):
            return refuse(409, "resource_in_use", "firewall is in use")
        del self.state.objects[kind][number]
        return (200, {"action": self._action()}) if kind == "servers" else (204, {})

    def _act(self, one: dict[str, Any], what: str, body: dict[str, Any], *, failed: bool) -> Answer:
        if what == "set_rules":
            one["rules"] = rules(body)
            return 201, {"actions": [self._action(failed=failed)]}
        if what == "apply_to_resources":
            for resource in body["apply_to"]:
                server = self.state.objects["servers"][resource["server"]["id"]]
                server["public_net"]["firewalls"].append({"id": one["id"], "status": "applied"})
            return 201, {"actions": [self._action(failed=failed)]}
        if what == "change_protection":
            one["protection"].update(body)
        elif what == "enable_backup":
            one["backup_window"] = "02-06"
        elif what == "attach":
            self.state.objects["servers"][body["server"]]["volumes"].append(one["id"])
        elif what == "resize":
            if body["size"] <= one["size"]:
                return refuse(422, "invalid_size", "a volume cannot shrink")
            one["size"] = body["size"]
        else:
            return refuse(404, "not_found", f"there is no action {what}")
        return 201, {"action": self._action(failed=failed)}

    def _write_rrset(self, method: str, key: str, rest: list[str], body: dict[str, Any]) -> Answer:
        match method, rest:
            case "DELETE", []:
                del self.state.rrsets[key]
            case "POST", ["actions", "set_records"]:
                self.state.rrsets[key]["records"] = [{"comment": "", **one} for one in body["records"]]
            case "POST", ["actions", "change_ttl"]:
                self.state.rrsets[key]["ttl"] = body["ttl"]
            case _:
                return refuse(404, "not_found", f"not supported: {method} {rest}")
        return 201, {"action": self._action()}

    def _action(self, *, failed: bool = False) -> dict[str, Any]:
        """Start an action: reported as running now, as done or failed when it is queried."""
        number = len(self._actions) + 1
        error = {"code": "action_failed", "message": "the action failed"} if failed else None
        self._actions[number] = {
            "id": number,
            "command": "do",
            "status": "running",
            "progress": 0,
            "started": CREATED,
            "finished": None,
            "resources": [],
            "error": None,
            "then": {
                "status": "error" if failed else "success",
                "progress": 100,
                "finished": CREATED,
                "error": error,
            },
        }
        return {key: value for key, value in self._actions[number].items() if key != "then"}
