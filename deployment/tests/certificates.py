"""A site behind our Caddyfile and two kinds of certificate authority for it, in a network namespace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from testing.harness.daemons import REPOSITORY
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from testing.harness.namespace import Namespace

SITE = "archive.test"
CA = "acme.test"
NAMES = (SITE, CA, "grafana", "health")
CADDY = str(Path(sys.executable).parent / "caddy")
CADDYFILE = str(REPOSITORY / "deployment" / "caddy" / "Caddyfile")
PASSWORD = "a password of a test"  # noqa: S105 - of a test
ISSUE_SECONDS = 60
RENEW_SECONDS = 120
AUTHORITY = """\
{
	admin off
	skip_install_trust
	persist_config off
	auto_https disable_redirects
	http_port 9080
	https_port 9443
	storage file_system {$CA_DATA}
	pki {
		ca ci {
			name "A CA of a test"
			intermediate_lifetime 24h
		}
	}
}
https://acme.test:9443 {
	bind 127.0.0.1
	tls {
		issuer internal {
			ca ci
		}
	}
	acme_server {
		ca ci
		lifetime 5m
		challenges http-01 tls-alpn-01
		allow {
			domains archive.test
		}
	}
}
"""
UPSTREAM = """\
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[3]))
        self.send_header("Server", "secret/1.0")
        self.end_headers()
        self.wfile.write(sys.argv[2].encode())
    def log_message(self, *_): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answers).serve_forever()
"""
PEBBLE = {
    "pebble": {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "httpPort": 80,
        "tlsPort": 443,
        "certificateValidityPeriod": 120,
    }
}


@dataclass
class Site:
    """Caddy with our Caddyfile in front of stand-ins; curl requests it from inside the namespace."""

    net: Namespace
    folder: Path
    directory: str
    root: Path
    """Root certificate of the authority's own address."""
    chain: Path
    """Root certificate of the site's chain."""
    renew: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Start Caddy; returns when it has a certificate."""
        password = self.folder / "password"
        password.write_text(f"{PASSWORD}\n", "utf-8")
        env = {
            "PATH": f"{Path(CADDY).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder / "site"),
            "XDG_DATA_HOME": str(self.folder / "site" / "data"),
            "SITE_ADDRESS": SITE,
            "ACME_DIRECTORY": self.directory,
            "SSL_CERT_FILE": str(self.root),
            "READER_PASSWORD_FILE": str(password),
            "READER_ROOT": str(self.folder / "archive"),
            "CADDYFILE": CADDYFILE,
            **self.renew,
        }
        self.net.start(["sh", str(Path(CADDYFILE).parent / "start.sh")], env, self.folder / "site.log")
        try:
            wait_for(lambda: self.get("/").returncode == 0, ISSUE_SECONDS, "a certificate is issued")
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{(self.folder / 'site.log').read_text()[-3000:]}") from error

    def upstream(self, port: int, answer: str, status: int = 200) -> subprocess.Popen[bytes]:
        """Start a stand-in behind Caddy."""
        words = [sys.executable, "-c", UPSTREAM, str(port), answer, str(status)]
        process = self.net.start(words, {}, self.folder / "upstream.log")
        self.net.wait_port(port)
        return process

    def get(self, path: str, *options: str, scheme: str = "https") -> subprocess.CompletedProcess[str]:
        """Request a path, trusting only the authority; returns the completed curl."""
        trust = ["--silent", "--show-error", "--include", "--cacert", str(self.chain)]
        return self.net.run("curl", *trust, *options, f"{scheme}://{SITE}{path}")

    def certificate(self, name: str = SITE) -> str:
        """Return serial number, dates and issuer of the certificate for a server name."""
        shown = "openssl x509 -noout -serial -dates -issuer"
        client = f"openssl s_client -connect {SITE}:443 -servername {name} </dev/null 2>/dev/null"
        return self.net.run("sh", "-c", f"{client} | {shown}").stdout


def caddy_authority(net: Namespace, folder: Path) -> tuple[str, Path, subprocess.Popen[bytes]]:
    """Start another Caddy as a CA; returns the address of its directory, its root, and its process."""
    data = folder / "ca"
    data.mkdir(exist_ok=True)
    config = folder / "ca.Caddyfile"
    config.write_text(AUTHORITY, "utf-8")
    env = {"HOME": str(data), "CA_DATA": str(data), "PATH": os.environ["PATH"]}
    words = [CADDY, "run", "--config", str(config), "--adapter", "caddyfile"]
    process = net.start(words, env, folder / "ca.log")
    root = data / "pki" / "authorities" / "ci" / "root.crt"
    wait_for(root.is_file, ISSUE_SECONDS, "the CA has a root")
    net.wait_port(9443)
    return f"https://{CA}:9443/acme/ci/directory", root, process


def pebble_authority(net: Namespace, folder: Path) -> tuple[str, Path, Path]:
    """Start Let's Encrypt's test CA; returns its directory, and the roots of its address and its chain."""
    key, certificate = folder / "pebble.key", folder / "pebble.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pebble"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    config = folder / "pebble.json"
    files = {"certificate": str(certificate), "privateKey": str(key)}
    config.write_text(json.dumps({"pebble": {**PEBBLE["pebble"], **files}}), "utf-8")
    answers = ["-defaultIPv6", "", "-defaultIPv4", "127.0.0.1", "-dns01", "127.0.0.1:18053"]
    off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", "127.0.0.1:18055"]
    env = {"PATH": os.environ["PATH"], "PEBBLE_VA_NOSLEEP": "1"}
    net.start(["pebble-challtestsrv", *answers, *off], env, folder / "dns.log")
    words = ["pebble", "-config", str(config), "-dnsserver", "127.0.0.1:18053", "-strict"]
    net.start(words, env, folder / "pebble.log")
    net.wait_port(15000)
    chain = folder / "pebble-root.pem"
    root = net.run("curl", "--silent", "--cacert", str(certificate), "https://127.0.0.1:15000/roots/0")
    chain.write_text(root.stdout, "utf-8")
    return "https://127.0.0.1:14000/dir", certificate, chain


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program."""
    process.send_signal(signal.SIGKILL)
    process.wait()
