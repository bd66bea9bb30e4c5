"""Our Caddy on a fake machine, with a certificate of a local authority, and requests from outside."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployment.tests.certificates import AUTHORITY, CA, SITE
from testing.environment.images.recipes import references
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import LABEL
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from testing.fakes.vm import FakeVM

ISSUE_SECONDS = 120
ROOT = "/data/pki/authorities/ci/root.crt"
AUTHORITY_START = "printf '%s' \"$CONFIG\" >/tmp/c && exec caddy run --config /tmp/c --adapter caddyfile"
ASK = 'printf \'%s\' "$1" >/tmp/root && shift && exec curl -si --cacert /tmp/root -m 10 "$@"'
CAPS = "--read-only --cap-drop ALL --cap-add NET_BIND_SERVICE --security-opt no-new-privileges"
STAND_INS = {"grafana": (3000, "index.html", "stands for Grafana"), "health": (9103, "healthz", "detail")}


@dataclass
class PublicDoor:
    """Caddy in front of stand-ins on `vm`; `image` has busybox and is in its registry."""

    vm: FakeVM
    image: str
    root: str = ""

    def open(self) -> None:
        """Start everything; returns when the site has its certificate."""
        vm, address = self.vm, self._authority()
        for name, (port, file, text) in STAND_INS.items():
            serve = (
                f"mkdir /srv/www; echo {text} >/srv/www/{file}; exec busybox httpd -f -h /srv/www -p {port}"
            )
            network = "docker network create behind >/dev/null 2>&1; docker run -d --network behind"
            vm.run(f"{network} --name {name} {self.image} sh -c '{serve}'")
        vm.run("cat >/opt/archive/root.crt", stdin=self.root)
        mounted = "/opt/archive/shared/secrets/archive_reader:/run/secrets/archive_reader:ro"
        env = {
            "SITE_ADDRESS": SITE,
            "ACME_DIRECTORY": f"https://{CA}:9443/acme/ci/directory",
            "SSL_CERT_FILE": "/root.crt",
        }
        words = [
            f"docker run -d --name caddy --network behind --add-host {CA}:{address} {CAPS}",
            "-p 0.0.0.0:80:80 -p [::]:80:80 -p 0.0.0.0:443:443 -p [::]:443:443",
            f"-v /opt/archive/root.crt:/root.crt:ro -v {mounted} -v caddy_data:/data -v caddy_config:/config",
            *(f"-e {name}={value}" for name, value in env.items()),
            self._caddy(),
        ]
        vm.run(" ".join(words))
        try:
            wait_for(lambda: "200" in self.ask(vm.address, "/"), ISSUE_SECONDS, "the site has a certificate")
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{vm.run('docker logs caddy', check=False)[-3000:]}") from error

    def close(self) -> None:
        """Remove everything."""
        self.vm.run("docker rm -f caddy grafana health", check=False)
        subprocess.run(["docker", "rm", "-fv", self._name], check=False, capture_output=True)

    def ask(self, address: str, path: str, *options: str, scheme: str = "https") -> str:
        """Request a path of the site at an address, from another machine; returns the reply."""
        where = f"[{address}]" if ":" in address else address
        resolve = [word for port in (80, 443) for word in ("--resolve", f"{SITE}:{port}:{where}")]
        words = ("sh", "-c", ASK, "ask", self.root, *resolve, *options, f"{scheme}://{SITE}{path}")
        return self.vm.neighbour(*words).stdout

    @property
    def _name(self) -> str:
        return f"{self.vm.name}-authority"

    def _authority(self) -> str:
        """Start a CA on the machine's network, where it can reach the site; returns its address."""
        (caddy,) = (str(one) for one in references() if one.name == "caddy")
        config = AUTHORITY.replace("\tbind 127.0.0.1\n", "")
        env = [f"--env=CONFIG={config}", "--env=CA_DATA=/data", "--env=HOME=/data"]
        where = [f"--network={self.vm.name}", f"--add-host={SITE}:{self.vm.address}", f"--name={self._name}"]
        start = ["docker", "run", "--detach", f"--label={LABEL}", "--cpu-shares=64", *where, *env]
        words = [*start, "--entrypoint=sh", caddy, "-c", AUTHORITY_START]
        subprocess.run(words, check=True, capture_output=True)
        self.root = wait_for(self._read_root, ISSUE_SECONDS, "the authority has a root")
        inspected = subprocess.run(["docker", "inspect", self._name], check=True, capture_output=True)
        networks = json.loads(inspected.stdout)[0]["NetworkSettings"]["Networks"]
        return str(networks[self.vm.name]["IPAddress"])

    def _read_root(self) -> str:
        words = ["docker", "exec", self._name, "cat", ROOT]
        return subprocess.run(words, check=False, capture_output=True, text=True).stdout

    def _caddy(self) -> str:
        """Build our Caddy and push it to the registry; returns its name on the machine."""
        pushed = f"{self.vm.registry_push}/caddy:1"
        context = str(REPOSITORY / "deployment" / "caddy")
        build = ("buildx", "build", "--quiet", "--load", f"--label={LABEL}", f"--tag={pushed}", context)
        for words in (build, ("push", "--quiet", pushed), ("rmi", pushed)):
            subprocess.run(["docker", *words], check=True, capture_output=True)
        return f"{self.vm.registry}/caddy:1"
