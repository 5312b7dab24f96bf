"""Builds the HLS C++ of a batch of cores into one program with g++ and runs it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import hls4ml
from core_cases import Case

from hls_templates import HLS_DIR

VENDOR_HEADERS = Path(hls4ml.__file__).parent / "templates" / "vivado" / "ap_types"

_MAIN = """
#include <cstdio>
#include <fstream>
#include "trip_count.hpp"
{includes}

template <int IN_BITS, int OUT_BITS>
void run(const char* name, int frames, long words,
         void (*core)(hls::stream<ap_uint<IN_BITS>>&, hls::stream<ap_uint<OUT_BITS>>&), std::ifstream& file) {{
    hls::stream<ap_uint<IN_BITS>> in;
    hls::stream<ap_uint<OUT_BITS>> out;
    for (long w = 0; w < words; ++w) {{
        ap_uint<IN_BITS> word = 0;
        for (int low = 0; low < IN_BITS; low += 32) {{
            unsigned part = 0;
            file >> part;
            const int high = low + 31 < IN_BITS ? low + 31 : IN_BITS - 1;
            word.range(high, low) = part;
        }}
        in.write(word);
    }}
    const unsigned long long before = spikefold::trip_counter();
    for (int frame = 0; frame < frames; ++frame) {{
        core(in, out);
    }}
    std::printf("%s %llu %zu", name, spikefold::trip_counter() - before, in.size());
    while (!out.empty()) {{
        const ap_uint<OUT_BITS> word = out.read();
        std::printf(" ");
        for (int digit = (OUT_BITS - 1) / 4; digit >= 0; --digit) {{
            const int high = digit * 4 + 3 < OUT_BITS ? digit * 4 + 3 : OUT_BITS - 1;
            std::printf("%x", static_cast<unsigned>(word.range(high, digit * 4).to_uint64()));
        }}
    }}
    std::printf("\\n");
}}

int main() {{
    std::ifstream file("inputs.txt");
{calls}
}}
"""


@dataclass(frozen=True)
class HlsResult:
    """Output words of all frames, trips of the II=1 loop in all frames, and input words left unread."""

    words: list[int]
    trips: int
    unread: int


def run_hls(cases: list[Case], folder: Path) -> dict[str, HlsResult]:
    """C-simulate every case in one program; returns the results by core name."""
    folder.mkdir(parents=True, exist_ok=True)
    calls, inputs = [], []
    for case in cases:
        case.core.render("hls", folder)
        in_bits, out_bits = case.core.inputs[0].bits, case.core.outputs[0].bits
        words = case.input_words
        calls.append(f'    run<{in_bits}, {out_bits}>("{case.name}", {case.frames}, {len(words)}, {case.name}, file);')
        for word in words:
            inputs.append(" ".join(str(word >> low & 0xFFFFFFFF) for low in range(0, in_bits, 32)))
    (folder / "inputs.txt").write_text("\n".join(inputs) + "\n")
    includes = "\n".join(f'#include "{case.name}.hpp"' for case in cases)
    (folder / "main.cpp").write_text(_MAIN.format(includes=includes, calls="\n".join(calls)))
    command = ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-DSPIKEFOLD_CSIM"]
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
    assert built.returncode == 0, built.stderr[-4000:]
    ran = subprocess.run(["./bench"], cwd=folder, capture_output=True, text=True, check=True)
    results = {}
    for line in ran.stdout.splitlines():
        name, trips, unread, *hexes = line.split()
        results[name] = HlsResult(words=[int(h, 16) for h in hexes], trips=int(trips), unread=int(unread))
    return results
