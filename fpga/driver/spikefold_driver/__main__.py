"""`python -m spikefold_driver self-test|classify|measure|info FOLDER`: exit code 2 and one sentence on every error."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from . import __version__
from .accelerator import Accelerator
from .description import read_description
from .errors import DriverError
from .transports.overlay import board_name
from .transports.transport import SLACK_SECONDS
from .transports.uart import DEFAULT_BAUD


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        result = _info(options) if options.command == "info" else _on_board(options)
    except DriverError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(result))
    else:
        _show(result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spikefold_driver", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("self-test", "compare the package's golden images, then measure"),
        ("classify", "classify image files or folders"),
        ("measure", "latency, throughput and power"),
        ("info", "what the package holds; touches no board"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("folder", type=Path, help="of an unpacked package, with network.json")
        command.add_argument("--json", action="store_true", help="print one line of JSON")
        if name == "classify":
            command.add_argument("images", type=Path, nargs="+", help="file or folder of images")
        if name != "info":
            command.add_argument("--transport", choices=("dma", "uart"), help="unless that of network.json")
            command.add_argument("--port", help="serial port, such as /dev/ttyUSB0")
            command.add_argument("--baud", type=int, default=DEFAULT_BAUD, help=f"default {DEFAULT_BAUD}")
            command.add_argument("--no-download", action="store_true", help="the overlay is loaded already")
            command.add_argument("--slack", type=float, default=SLACK_SECONDS, help="seconds added to every deadline")
    return parser


def _info(options: argparse.Namespace) -> dict[str, Any]:
    description = read_description(options.folder)
    return {
        "driver": __version__,
        "network": description.name,
        "digest": f"{description.network:08x}",
        "board": description.board,
        "this_board": board_name(),
        "shell": description.shell,
        "clock_mhz": description.clock_mhz,
        "bitstream": description.bitstream,
        "input_shape": list(description.input_shape),
        "classes": list(description.class_names) or description.classes,
        "latency_cycles": description.latency,
        "interval_cycles": description.interval,
    }


def _on_board(options: argparse.Namespace) -> dict[str, Any]:
    with Accelerator.open(
        options.folder,
        options.transport,
        port=options.port,
        baud=options.baud,
        download=not options.no_download,
        slack_s=options.slack,
    ) as accelerator:
        if options.command == "classify":
            return _classify(accelerator, options.images)
        result: dict[str, Any] = {}
        if options.command == "self-test":
            passed = accelerator.self_test()
            result = {"images": passed.frames, "mismatches": 0, "accuracy": passed.accuracy}
        measured = accelerator.measure()
        return {
            **result,
            "frames": measured.frames,
            "latency_cycles": measured.latency,
            "latency_us": round(1e6 * measured.latency_s, 3),
            "interval_cycles": measured.interval,
            "frames_per_second": measured.frames_per_second and round(measured.frames_per_second, 1),
            "host_frames_per_second": round(measured.host_frames_per_second, 1),
            "power_w": measured.power,
        }


def _classify(accelerator: Accelerator, paths: list[Path]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for path in paths:
        found = accelerator.classify(path)
        for file, name in zip(found.files, found.names):
            result[str(path / file) if path.is_dir() else str(path.parent / file)] = name
    return result


def _show(result: dict[str, Any]) -> None:
    width = max((len(name) for name in result), default=0)
    for name, value in result.items():
        print(f"{name:<{width}}  {'not known' if value is None else value}")


if __name__ == "__main__":
    sys.exit(main())
