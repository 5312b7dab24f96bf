"""OpenSSH's ssh and scp, with one sentence for whatever keeps them from the other machine.

Keys, known hosts, jump hosts and the like are the user's ssh configuration; no password is asked for.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fpga.deployment.errors import DeployError

SSH_FAILED = 255
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=10", "ServerAliveCountMax=3")
_HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_REASONS = (
    (r"could not resolve hostname", "its name is not known; give its address, or look it up in your router"),
    (r"connection refused", "nothing listens on port {port} there; give another PORT, or start its sshd"),
    (r"timed out|no route to host|network is unreachable", "it does not answer; is it on, and on this network?"),
    (
        r"remote host identification has changed|host key verification failed",
        "ssh does not know its key, or knows another one; connect once by hand, `ssh -p {port} {host}`, and see "
        "`man ssh-keygen` for -R where it was set up anew",
    ),
    (
        r"permission denied \(|too many authentication failures",
        "it refuses the login; copy your key there once, `ssh-copy-id -p {port} {host}`",
    ),
    (
        r"connection (closed|reset)|closed by remote|lost connection|broken pipe|disconnect|kex_|not responding",
        "the connection broke",
    ),
)


class UnreachableError(DeployError):
    """The other machine was not reached, or is not any more."""


@dataclass(frozen=True)
class Ssh:
    """A machine by ``host`` ([user@]name or address) and port; ``options``: further ones of ssh and scp, -o NAME=VALUE.

    Raises DeployError for a host that ssh would take for an option.
    """

    host: str
    port: int = 22
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise DeployError(
                f"host {self.host!r} is none; give user@board, such as xilinx@pynq or xilinx@192.168.2.99"
            )

    def run(self, command: str, words: bytes, timeout: float) -> subprocess.CompletedProcess[bytes]:
        """Run a command there with ``words`` as its input.

        Raises UnreachableError with the reason, and where it does not end within ``timeout`` seconds.
        """
        done = self._call(["ssh", "-p", str(self.port), *self._options(), "--", self.host, command], words, timeout)
        if done.returncode == SSH_FAILED:
            raise UnreachableError(self._reason(done.stderr))
        return done

    def copy(self, source: Path, target: str, timeout: float) -> None:
        """Copy a file there; raises UnreachableError, or DeployError with what scp says."""
        user, at, name = self.host.rpartition("@")
        # The colons of an IPv6 address are not the one before the path.
        place = f"{user}{at}[{name}]:{target}" if ":" in name else f"{self.host}:{target}"
        done = self._call(["scp", "-q", "-P", str(self.port), *self._options(), "--", str(source), place], b"", timeout)
        if done.returncode:
            reason = self._known_reason(done.stderr)
            if reason:
                raise UnreachableError(reason)
            raise DeployError(f"scp says: {_last_line(done.stderr)}")

    def _options(self) -> list[str]:
        # The first value of an option is the one that counts.
        return [*self.options, *(part for option in _OPTIONS for part in ("-o", option))]

    def _call(self, command: list[str], words: bytes, timeout: float) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                command,
                input=words,
                capture_output=True,
                timeout=timeout,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError:
            raise DeployError(f"{command[0]} is not on PATH; install OpenSSH's client (openssh-client)") from None
        except subprocess.TimeoutExpired:
            raise UnreachableError(f"it did not answer within {timeout:g} s") from None

    def _reason(self, said: bytes) -> str:
        return self._known_reason(said) or f"ssh says: {_last_line(said)}"

    def _known_reason(self, said: bytes) -> str | None:
        text = said.decode(errors="replace").lower()
        for pattern, reason in _REASONS:
            if re.search(pattern, text):
                return reason.format(host=self.host, port=self.port)
        return None


def _last_line(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"
