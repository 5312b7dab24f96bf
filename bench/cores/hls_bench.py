"""Builds the HLS C++ of a batch of cores into one program with g++ and runs it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import hls4ml

from bench.cores.core_cases import Case
from codegen.errors import SimulationError
from hls_templates import HLS_DIR

VENDOR_HEADERS = Path(hls4ml.__file__).parent / "templates" / "vivado" / "ap_types"

_MAIN = """
#include <cstdio>
#include <fstream>
#include "trip_count.hpp"
{includes}

template <int BITS>
void fill(hls::stream<ap_uint<BITS>>& in, long words, std::ifstream& file) {{
    for (long w = 0; w < words; ++w) {{
        ap_uint<BITS> word = 0;
        for (int low = 0; low < BITS; low += 32) {{
            unsigned part = 0;
            file >> part;
            const int high = low + 31 < BITS ? low + 31 : BITS - 1;
            word.range(high, low) = part;
        }}
        in.write(word);
    }}
}}

template <int BITS>
void print(hls::stream<ap_uint<BITS>>& out) {{
    while (!out.empty()) {{
        const ap_uint<BITS> word = out.read();
        std::printf(" ");
        for (int digit = (BITS - 1) / 4; digit >= 0; --digit) {{
            const int high = digit * 4 + 3 < BITS ? digit * 4 + 3 : BITS - 1;
            std::printf("%x", static_cast<unsigned>(word.range(high, digit * 4).to_uint64()));
        }}
    }}
}}

int main() {{
    std::ifstream file("inputs.txt");
{calls}
}}
"""


@dataclass(frozen=True)
class HlsResult:
    """Output words of all frames, output by output, trips of the II=1 loop in all frames, and unread input words."""

    words: list[int]
    trips: int
    unread: int


def run_hls(cases: list[Case], folder: Path) -> dict[str, HlsResult]:
    """C-simulate every case in one program; returns the results by core name.

    Raises SimulationError where it does not compile, or stops before its end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    calls, inputs = [], []
    for case in cases:
        case.core.render("hls", folder)
        calls.append(_call(case))
        for stream, words in zip(case.core.read_streams, case.input_words, strict=True):
            inputs += [" ".join(str(word >> low & 0xFFFFFFFF) for low in range(0, stream.bits, 32)) for word in words]
    (folder / "inputs.txt").write_text("\n".join(inputs) + "\n")
    includes = "\n".join(f'#include "{case.name}.hpp"' for case in cases)
    (folder / "main.cpp").write_text(_MAIN.format(includes=includes, calls="\n".join(calls)))
    command = ["g++", "-std=c++17", "-O0", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-DSPIKEFOLD_CSIM"]
    # The vendor's constructors read the word that they are about to set; inlined, that is reported in our lines.
    command += [
        "-Wno-uninitialized",
        "-Wno-maybe-uninitialized",
        "-isystem",
        str(VENDOR_HEADERS),
        "-I",
        str(HLS_DIR),
        "-I",
        ".",
        "main.cpp",
        "-o",
        "bench",
    ]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if built.returncode:
        raise SimulationError(f"the HLS C++ of the batch does not compile: {built.stderr[-4000:]}")
    ran = subprocess.run(["./bench"], cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SimulationError(
            f"the HLS C++ of the batch stopped with exit status {ran.returncode}: {ran.stderr[-400:]}"
        )
    results = {}
    for line in ran.stdout.splitlines():
        name, trips, unread, *hexes = line.split()
        results[name] = HlsResult(words=[int(h, 16) for h in hexes], trips=int(trips), unread=int(unread))
    return results


def _call(case: Case) -> str:
    """C++ that runs a case: its inputs from the file, all frames, then one line of results."""
    ports = case.core.function_ports
    names = [port for port, _ in ports]
    inputs = names[: len(case.core.read_streams)]
    lines = [f"hls::stream<ap_uint<{stream.bits}>> {port};" for port, stream in ports]
    lines += [f"fill({port}, {len(words)}, file);" for port, words in zip(inputs, case.input_words, strict=True)]
    lines.append("const unsigned long long before = spikefold::trip_counter();")
    lines.append(f"for (int frame = 0; frame < {case.frames}; ++frame) {case.name}({', '.join(names)});")
    unread = " + ".join(f"{port}.size()" for port in inputs)
    lines.append(f'std::printf("{case.name} %llu %zu", spikefold::trip_counter() - before, {unread});')
    lines += [f"print({port});" for port in names[len(inputs) :]]
    lines.append('std::printf("\\n");')
    return "    {\n" + "".join(f"        {line}\n" for line in lines) + "    }"
