"""The forms of the API's answers. Pure."""

from __future__ import annotations

from typing import Any

from testing.fakes.hetzner.state import CREATED

PER_PAGE = 2
"""Fewer than anybody asks for, so that pages are always turned."""
Answer = tuple[int, dict[str, Any]]


def page(kind: str, whole: list[dict[str, Any]], query: dict[str, list[str]]) -> Answer:
    """Return the page of a list that was asked for."""
    number = int(query.get("page", ["1"])[0])
    pages = max(1, -(-len(whole) // PER_PAGE))
    turned = {
        "page": number,
        "per_page": PER_PAGE,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if number < pages else None,
        "last_page": pages,
        "total_entries": len(whole),
    }
    return 200, {kind: whole[(number - 1) * PER_PAGE : number * PER_PAGE], "meta": {"pagination": turned}}


def chosen(one: dict[str, Any], query: dict[str, list[str]]) -> bool:
    """Whether an object is what a list was narrowed to."""
    selected = [pair.partition("=") for pair in query.get("label_selector", [""])[0].split(",") if pair]
    return (
        all(one["labels"].get(key) == value for key, _, value in selected)
        and one["name"] in query.get("name", [one["name"]])
        and one.get("type") in query.get("type", [one.get("type")])
    )


def zone(name: str) -> dict[str, Any]:
    """Return a DNS zone as the API tells of it."""
    return {
        "id": 1,
        "name": name,
        "created": CREATED,
        "mode": "primary",
        "ttl": 3600,
        "labels": {},
        "protection": {"delete": False},
        "status": "ok",
        "record_count": 0,
        "registrar": "hetzner",
        "primary_nameservers": [],
        "authoritative_nameservers": {
            "assigned": [],
            "delegated": [],
            "delegation_last_check": None,
            "delegation_status": "valid",
        },
    }


def rrset(key: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a set of records from a request's body."""
    return {
        "id": key,
        "name": body["name"],
        "type": body["type"],
        "ttl": body.get("ttl"),
        "labels": body.get("labels", {}),
        "protection": {"change": False},
        "records": [{"comment": "", **one} for one in body["records"]],
        "zone": 1,
    }


def refuse(status: int, code: str, message: str) -> Answer:
    """Return a refusal."""
    return status, {"error": {"code": code, "message": message, "details": None}}
