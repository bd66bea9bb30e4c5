"""The host of the cloud-config on a fake machine, and its open ports as seen from outside."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from deployment.provision.cloud_init import programs, render
from deployment.provision.settings import Settings
from testing.environment.images.recipes import BASE
from testing.fakes.vm.machine import MACHINE
from testing.harness.programs import LABEL
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from testing.fakes.vm import FakeVM

SITE = "archive.test"
MEMORY_MB = 4096
UNITS = (
    "archive-firewall.service",
    "archive-backup@copy.service",
    "archive-copy.timer",
    "archive-verify.timer",
)
PUBLIC = (22, 80, 443)
BY_MISTAKE = 6379
"""A port of a container, published on every address by mistake."""
OF_HOST = 9100
"""A port of a program on the host."""
SCANNED = (*PUBLIC, BY_MISTAKE, OF_HOST, 2375, 5000, 8080, 9090)
METADATA = "169.254.169.254"
LISTEN = """\
import socket, sys, threading
for port in map(int, sys.argv[1:]):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    def serve(listener=listener):
        while True:
            talk, _ = listener.accept()
            talk.sendall(b"here\\n")
            talk.close()
    threading.Thread(target=serve).start()
"""
SCAN = """\
import socket, sys
for port in map(int, sys.argv[2:]):
    try:
        socket.create_connection((sys.argv[1], port), 2).close()
        print(port)
    except OSError:
        pass
"""


def boot(vm: FakeVM) -> None:
    """Boot for the first time, as a machine that provision rents."""
    keys = {
        name: key.with_suffix(".pub").read_text("utf-8").strip()
        for name, key in (("admin_key", vm.admin_key), ("deploy_key", vm.deploy_key))
    }
    site = {"site": SITE, "image_prefix": f"{vm.registry}/archive", "ssh_from": ("0.0.0.0/0",)}
    settings = Settings.model_validate({**site, **keys})
    vm.boot(render(settings, 4711, MEMORY_MB, programs()).text)


def image(vm: FakeVM) -> str:
    """Push an image with a shell and busybox to the registry; returns its name on the machine."""
    pushed = f"{vm.registry_push}/base:1"
    for words in (("tag", BASE, pushed), ("push", "--quiet", pushed), ("rmi", pushed)):
        subprocess.run(["docker", *words], check=True, capture_output=True)
    return f"{vm.registry}/base:1"


def publish(vm: FakeVM, name: str, *ports: int) -> None:
    """Run a container that listens on each port and publishes it on every address."""
    everywhere = " ".join(f"-p 0.0.0.0:{port}:{port} -p [::]:{port}:{port}" for port in ports)
    serve = " ".join(f"busybox httpd -f -p {port} &" for port in ports)
    vm.run(f"docker run -d --init {everywhere} {name} sh -c '{serve} wait'")
    for port in ports:
        wait_for(lambda port=port: open_here(vm, port), 60, f"port {port} is published on the machine")  # type: ignore[misc]


def listen(vm: FakeVM, *ports: int) -> None:
    """Run a program on the host that listens on every address."""
    vm.run("cat >/tmp/listen.py", stdin=LISTEN)
    vm.run(f"setsid python3 /tmp/listen.py {' '.join(map(str, ports))} >/tmp/listen.log 2>&1 </dev/null &")
    for port in ports:
        wait_for(lambda port=port: open_here(vm, port), 30, f"port {port} listens on the machine")  # type: ignore[misc]


def open_here(vm: FakeVM, port: int) -> bool:
    """Return whether a port answers on the machine itself."""
    return vm.run("python3 - 127.0.0.1 " + str(port), check=False, stdin=SCAN).strip() == str(port)


def open_outside(vm: FakeVM, address: str) -> set[int]:
    """Return the ports that answer on another machine."""
    seen = vm.neighbour("python3", "-c", SCAN, address, *map(str, SCANNED))
    assert seen.returncode == 0, seen.stderr
    return set(map(int, seen.stdout.split()))


def metadata_server(vm: FakeVM) -> str:
    """Start a server at Hetzner's metadata address; returns its container, to be removed."""
    start = ["docker", "run", "--detach", f"--label={LABEL}", f"--network={vm.name}", "--cap-add=NET_ADMIN"]
    serve = f"ip addr add {METADATA}/32 dev eth0 && exec python3 -m http.server 80"
    words = [*start, "--entrypoint=sh", MACHINE, "-c", serve]
    container = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    vm.run(f"ip route add {METADATA} dev eth0")
    wait_for(lambda: reads_metadata(vm, ""), 30, "the machine itself reads its metadata")
    return container


def reads_metadata(vm: FakeVM, within: str) -> bool:
    """Return whether the metadata can be read, on the machine itself or within a container of an image."""
    ask = f"wget -q -T 3 -O /dev/null http://{METADATA}/"
    here = f"curl -sf -m 3 -o /dev/null http://{METADATA}/"
    command = f"docker run --rm {within} busybox {ask}" if within else here
    return vm.run(f"{command} && echo read", check=False).strip().endswith("read")
