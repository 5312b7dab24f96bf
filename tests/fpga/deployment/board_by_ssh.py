"""A board that ssh reaches: an sshd on loopback with keys of its own, run by the user of the tests."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
_START_SECONDS = 10.0


@dataclass(frozen=True)
class BoardBySsh:
    """``options`` are the client's: its key and the board's, and nothing of the user's own configuration."""

    host: str
    port: int
    options: tuple[str, ...]
    home: Path
    process: subprocess.Popen[bytes]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A command on the board, by the client that deployments use."""
        arguments = ["ssh", "-p", str(self.port), *self.options, self.host, command]
        return subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def stop(self) -> None:
        """End the server; connections that are open go on."""
        self.process.terminate()
        self.process.wait()


def start_board(folder: Path, variables: Mapping[str, str], sftp: str | None = None) -> BoardBySsh:
    """Start an sshd on a free port; ``variables`` are those of its sessions, ``sftp`` the command of its subsystem."""
    assert SSHD is not None
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    for name in ("host_key", "user_key", "other_key"):
        if not (folder / name).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    settings = " ".join(f'{name}="{value}"' for name, value in {"HOME": str(home), **variables}.items())
    lines = [
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host_key'}", "UsePAM no", "StrictModes no",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}", "PasswordAuthentication no", "PermitRootLogin yes",
        "KbdInteractiveAuthentication no", f"PidFile {folder / 'pid'}", f"Subsystem sftp {sftp or sftp_server()}",
        f"SetEnv {settings}", "UseDNS no", "LogLevel VERBOSE",
    ]  # fmt: skip
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    log = (folder / "sshd.log").open("ab")
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    _wait(port, process, folder / "sshd.log")
    kind, key, *_ = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    return BoardBySsh(f"{getpass.getuser()}@127.0.0.1", port, client_options(folder), home, process)


def client_options(folder: Path, key: str = "user_key", known_hosts: str = "known_hosts") -> tuple[str, ...]:
    """Options of ssh and scp to reach the board of a folder."""
    settings = (
        f"IdentityFile={folder / key}", "IdentitiesOnly=yes", f"UserKnownHostsFile={folder / known_hosts}",
        "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "IdentityAgent=none", "UpdateHostKeys=no",
    )  # fmt: skip
    return ("-F", "/dev/null", *(part for setting in settings for part in ("-o", setting)))


def sftp_server() -> str:
    """OpenSSH's sftp server, as a distribution installs it beside sshd."""
    return next((file for file in SFTP_SERVERS if Path(file).exists()), "internal-sftp")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"sshd does not start: {log.read_text()}")
