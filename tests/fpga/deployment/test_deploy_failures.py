"""Whatever breaks a deployment is one sentence, and the deployment before it goes on, byte by byte."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from board_by_ssh import client_options, free_port, sftp_server
from deployed_board import DeployedBoard
from deployed_runs import add_bitstream, repack

import fpga.deployment.deploy as deploy_module
from codegen.digests import sources_digest
from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.deployment.errors import DeployError
from fpga.deployment.package import make_package, package_file
from fpga.deployment.ssh import Ssh

Unharmed = Callable[[], None]
STILL = r"the deployment before it, \d{4}-[0-9a-f]{8}, is still the current one"
NOTHING_LEFT = f"{STILL}, and nothing of the new one is left"
END_CONNECTION = '''
import os, signal
def serving():
    """The processes of sshd that serve this connection, from here up to the server itself, which is not one."""
    server, pid, found = int(open("{pid_file}").read()), os.getppid(), []
    while pid not in (1, server):
        fields = dict(line.split(":", 1) for line in open(f"/proc/{{pid}}/status").read().splitlines() if ":" in line)
        if fields["Name"].strip().startswith("sshd"):
            found.append(pid)
        pid = int(fields["PPid"])
    return found
def end_connection():
    """The cable is out: neither side says good-bye."""
    for pid in serving():
        os.kill(pid, signal.SIGKILL)
'''


def refused(deployed: DeployedBoard, run: RunFolder, board: Board, **changes: object) -> str:
    """The sentence of a deployment that fails."""
    with pytest.raises(DeployError) as caught:
        deployed.deploy(run, board, **changes)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def program(deployed: DeployedBoard, name: str, source: str) -> str:
    """A Python program on the board."""
    file = deployed.folder / name
    helpers = END_CONNECTION.format(pid_file=deployed.folder / "pid")
    file.write_text(f"#!{sys.executable}\n{helpers}\n{textwrap.dedent(source)}")
    file.chmod(0o755)
    return str(file)


def matches(pattern: str, sentence: str) -> None:
    assert re.search(pattern, sentence), sentence


def test_an_unknown_host(deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed) -> None:
    sentence = refused(deployed, run, board, host="xilinx@no-such-board.invalid")
    matches("its name is not known", sentence)
    matches("nothing was changed there", sentence)
    unharmed()


def test_a_port_where_nothing_listens(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    port = free_port()
    matches(f"nothing listens on port {port} there", refused(deployed, run, board, port=port))


def test_a_board_that_does_not_answer(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        options = ("-o", "ConnectTimeout=1", *client_options(deployed.folder))
        sentence = refused(deployed, run, board, port=silent.getsockname()[1], ssh_options=options)
    matches("it does not answer; is it on, and on this network", sentence)


def test_a_key_that_the_board_does_not_know(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    options = client_options(deployed.folder, key="other_key")
    matches(
        r"refuses the login; copy your key there once, `ssh-copy-id", refused(deployed, run, board, ssh_options=options)
    )


def test_another_board_at_the_address(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    other = (deployed.folder / "other_key.pub").read_text().split()
    (deployed.folder / "wrong_hosts").write_text(f"[127.0.0.1]:{deployed.server.port} {other[0]} {other[1]}\n")
    options = client_options(deployed.folder, known_hosts="wrong_hosts")
    matches("ssh does not know its key, or knows another one", refused(deployed, run, board, ssh_options=options))


def test_a_host_that_is_an_option(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    matches("host '-oProxyCommand=x' is none", refused(deployed, run, board, host="-oProxyCommand=x"))


def test_a_board_without_python(deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed) -> None:
    matches("it has no python3.99; is it a PYNQ image", refused(deployed, run, board, python="python3.99"))
    unharmed()


def test_a_board_without_pynq(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    deployed.restart(PYTHONPATH="/nowhere")
    sentence = refused(deployed, run, board)
    matches("there has no pynq, which a PYNQ image brings", sentence)
    matches("nothing was changed there", sentence)


def test_a_board_of_another_kind(deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed) -> None:
    deployed.restart(BOARD="ZCU104")
    sentence = refused(deployed, run, board)
    matches("the self-test failed: the bitstream is built for Pynq-Z2, and this board is a ZCU104", sentence)
    matches(NOTHING_LEFT, sentence)
    deployed.restart()
    unharmed()


def test_too_little_room(
    deployed: DeployedBoard, run: RunFolder, board: Board, monkeypatch: pytest.MonkeyPatch, unharmed: Unharmed
) -> None:
    monkeypatch.setattr(deploy_module, "_ROOM", 10**12)
    matches(r"has [\d.]+ MB free, and [\d.]+ MB are needed", refused(deployed, run, board))
    unharmed()


def test_a_disk_that_is_full_in_mid_copy(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed
) -> None:
    """No file grows beyond 16 blocks of 1 KiB: to the sftp server the same as a full disk."""
    wrapper = deployed.folder / "small-disk"
    wrapper.write_text(f"#!/bin/bash\ntrap '' XFSZ\nulimit -f 16\n{sftp_server()}\n")
    wrapper.chmod(0o755)
    deployed.restart(sftp=str(wrapper))
    sentence = refused(deployed, run, board)
    matches("failed while copying: scp says: .*[Ff]ail", sentence)
    matches(NOTHING_LEFT, sentence)
    deployed.restart()
    unharmed()


def test_a_disk_that_is_full_while_installing(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed
) -> None:
    limited = deployed.folder / "limited-python"
    limited.write_text(f'#!/bin/bash\nulimit -f 4\nexec {sys.executable} "$@"\n')
    limited.chmod(0o755)
    sentence = refused(deployed, run, board, python=str(limited))
    matches("failed while installing: .*the disk is full", sentence)
    matches(NOTHING_LEFT, sentence)
    unharmed()


def test_a_disk_without_space(
    deployed: DeployedBoard, run: RunFolder, board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system of 40 kB, on which not even the package finds room."""
    small = tmp_path / "tmpfs"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "none", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        matches("MB free, and .* MB are needed", refused(deployed, run, board, folder=str(small)))
        monkeypatch.setattr(deploy_module, "_ROOM", 0)
        matches("failed while copying: scp says.*it had none before", refused(deployed, run, board, folder=str(small)))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_connection_that_breaks_in_mid_copy(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed
) -> None:
    relay = program(
        deployed,
        "short-cable",
        f"""
        import subprocess, sys
        server = subprocess.Popen(["{sftp_server()}"], stdin=subprocess.PIPE)
        passed = 0
        while passed < 20000:
            piece = os.read(0, 4096)
            passed += len(piece)
            server.stdin.write(piece)
            server.stdin.flush()
        end_connection()
        """,
    )
    deployed.restart(sftp=relay)
    sentence = refused(deployed, run, board)
    matches(f"failed while copying: the connection broke; {NOTHING_LEFT}", sentence)
    deployed.restart()
    unharmed()


@pytest.mark.parametrize("step", ["install", "test"])
def test_a_connection_that_breaks_in_a_step(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed, step: str
) -> None:
    python = program(
        deployed,
        f"python-until-{step}",
        f"""
        import subprocess, sys
        source = sys.stdin.buffer.read()
        if b'"action": "{step}"' in source:
            end_connection()
            sys.exit()
        sys.exit(subprocess.run(["{sys.executable}", "-"], input=source).returncode)
        """,
    )
    sentence = refused(deployed, run, board, python=python)
    matches(f"the connection broke; {NOTHING_LEFT}", sentence)
    unharmed()


def test_a_board_that_does_not_come_back(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed
) -> None:
    """It goes off while it installs, and what it has by then goes with the next deployment."""
    python = program(
        deployed,
        "python-of-a-dying-board",
        f"""
        import subprocess, sys
        source = sys.stdin.buffer.read()
        if b'"action": "install"' in source:
            connection = serving()
            for pid in (*connection, {deployed.server.process.pid}):
                os.kill(pid, signal.SIGKILL)
            sys.exit()
        sys.exit(subprocess.run(["{sys.executable}", "-"], input=source).returncode)
        """,
    )
    sentence = refused(deployed, run, board, python=python)
    matches(f"the connection broke; {STILL}, and the next deployment removes .*/.unfinished-", sentence)
    deployed.server.process.wait()
    deployed.restart()
    left = list((deployed.server.home / "spikefold" / "small").glob(".unfinished-*"))
    assert left
    for folder in left:
        shutil.rmtree(folder)
    unharmed()


def test_a_connection_that_breaks_in_the_last_step(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed
) -> None:
    """Nobody here knows then whether the board did it, and nothing is removed there."""
    python = program(
        deployed,
        "python-until-switch",
        f"""
        import subprocess, sys
        source = sys.stdin.buffer.read()
        if b'"action": "switch"' in source:
            end_connection()
            sys.exit()
        sys.exit(subprocess.run(["{sys.executable}", "-"], input=source).returncode)
        """,
    )
    sentence = refused(deployed, run, board, python=python)
    base = deployed.server.home / "spikefold" / "small"
    matches(f"whether it was switched is not known: `readlink {base}/current` there says", sentence)
    for left in base.glob(".unfinished-*"):
        shutil.rmtree(left)
    unharmed()


def test_a_package_that_arrives_damaged(
    deployed: DeployedBoard,
    run: RunFolder,
    board: Board,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unharmed: Unharmed,
) -> None:
    copy = Ssh.copy

    def flip_a_bit(self: Ssh, source: Path, target: str, timeout: float) -> None:
        content = bytearray(source.read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / "damaged.zip").write_bytes(content)
        copy(self, tmp_path / "damaged.zip", target, timeout)

    monkeypatch.setattr(Ssh, "copy", flip_a_bit)
    sentence = refused(deployed, run, board)
    matches(f"failed while installing: the package arrived damaged: .*; {NOTHING_LEFT}", sentence)
    unharmed()


def test_a_package_whose_file_is_not_the_one_in_its_checksums(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fpga.deployment.archive.checksums", lambda files: b"0" * 64 + b"  README.md\n")
    repack(package_file(run, board), {})
    matches("holds other files than its SHA256SUMS names", refused(deployed, run, board))
    unharmed()


def test_a_self_test_with_other_logits(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed, tmp_path: Path
) -> None:
    with ZipFile(package_file(run, board)) as archive:
        archive.extract("golden.npz", tmp_path)
    golden = dict(np.load(tmp_path / "golden.npz"))
    golden["logits"][7, 3] += 1
    np.savez(tmp_path / "golden.npz", **golden)
    repack(package_file(run, board), {"golden.npz": (tmp_path / "golden.npz").read_bytes()})
    sentence = refused(deployed, run, board)
    matches("failed while testing: the self-test failed: 1 of 100 golden images give other logits", sentence)
    matches(NOTHING_LEFT, sentence)
    unharmed()


def test_a_self_test_that_does_not_end(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed
) -> None:
    hanging = deployed.folder / "hanging"
    hanging.mkdir()
    (hanging / "sitecustomize.py").write_text("import sys, time\nif 'self-test' in sys.orig_argv: time.sleep(60)\n")
    deployed.restart(PYTHONPATH=f"{hanging}:{deployed.variables['PYTHONPATH']}")
    sentence = refused(deployed, run, board, timeout=4.0)
    matches(f"failed while testing: the self-test did not end within 4 s; {NOTHING_LEFT}", sentence)
    deployed.restart()
    unharmed()


def test_a_bitstream_of_another_network(
    deployed: DeployedBoard, run: RunFolder, board: Board, unharmed: Unharmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The accelerator on the board answers with its own digest."""
    neurons = next((run.path / "rtl").glob("*_neurons.hex"))
    neurons.write_text(neurons.read_text().replace("0", "1", 1))
    change_sources(run)
    add_bitstream(run, board)
    make_package(run, board)
    matches("the self-test failed: .*network", refused(deployed, run, board))
    unharmed()


def change_sources(run: RunFolder) -> None:
    """Let all results be of the sources that are there now."""
    digest = sources_digest(run.path / "rtl")
    for name, key in (("sources", "rtl_sha256"), ("rtl", "sources_sha256")):
        file = run.path / "results" / f"{name}.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), key: digest}))


def test_a_package_without_a_bitstream(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    (run.path / "results" / "bitstream.json").unlink()
    make_package(run, board)
    sentence = refused(deployed, run, board)
    matches("has no bitstream, only a note in its place; run `make bitstream RUN=small BOARD=Pynq-Z2`", sentence)


def test_a_package_of_an_older_bitstream(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    add_bitstream(run, board, content=b"a newer one")
    matches(
        "is of another network or bitstream than .* has now; run `make package RUN=small BOARD=Pynq-Z2` again",
        refused(deployed, run, board),
    )


def test_a_damaged_package(deployed: DeployedBoard, run: RunFolder, board: Board) -> None:
    file = package_file(run, board)
    file.write_bytes(file.read_bytes()[:-200])
    matches(r"is damaged \(.*\); run `make package", refused(deployed, run, board))
    file.unlink()
    matches("there is no package of small for Pynq-Z2; run `make package", refused(deployed, run, board))
