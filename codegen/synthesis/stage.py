"""Synthesis of every node of a run, out of context, and the sum against the board's budget."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any

from codegen.digests import sources_digest
from codegen.errors import SynthesisError
from codegen.fit import advise, budget, find_board, fits, total
from codegen.hardware_results import CoreResult, SynthesisResult, TimingLimit
from codegen.progress import Progress
from codegen.pruning import pruning_of
from codegen.render.manifest import RenderedNode, read_manifest
from codegen.run_folder import RunFolder
from codegen.synthesis.cache import SynthesisCache
from codegen.synthesis.timing.design import CorePeriod, core_periods
from codegen.synthesis.timing.families import SPEED_GRADES
from codegen.synthesis.yosys import (
    CoreSources,
    EndedError,
    SynthesisedCore,
    content_key,
    start_yosys,
    synthesise_core,
    tool_version,
)
from fpga.boards import Board
from sca_train.files import cache_folder

CORE_TIMEOUT_SECONDS = 3600.0
NS_PER_US = 1000.0


def synthesise(
    run: RunFolder,
    board: str,
    jobs: int = os.cpu_count() or 1,
    cache: SynthesisCache | None = None,
    core_timeout: float = CORE_TIMEOUT_SECONDS,
) -> SynthesisResult:
    """Synthesise rtl/ of a run with Yosys for a board's family and save results/synth.json.

    ``jobs`` Yosys processes run at a time (each may take up to 4 GiB for a large core); ``core_timeout`` in seconds.
    Raises UnknownBoardError; RunFolderError when rtl/ is missing; SynthesisError when the board lacks what the sources
    name or Yosys rejects a core, or, after the result was saved, when the network does not fit the board.
    """
    target = find_board(board)
    manifest = read_manifest(run.require("rtl"))
    if reason := manifest.why_not_on(target):
        raise SynthesisError(reason)
    root = run.path / "rtl"
    digest = sources_digest(root)
    sources = {
        node.name: CoreSources(op=node.op, module=node.module, root=root, files=node.all_files)
        for node in manifest.nodes
    }
    found = _synthesise_all(sources, target, jobs, cache or SynthesisCache(cache_folder()), core_timeout)
    periods = core_periods({name: core.timing for name, (core, _) in found.items()}, manifest.edges)
    cores = tuple(_core_result(node, *found[node.name], periods.get(node.name)) for node in manifest.nodes)
    needed = total(core.resources for core in cores)
    result = SynthesisResult(
        tool=f"yosys {tool_version()}",
        board=target.name,
        part=target.part,
        family=target.family,
        cores=cores,
        total=needed,
        budget=budget(target),
        fits=fits(needed, target),
        timing=_limit(periods, target),
        sources_sha256=digest,
    )
    result.save(run)
    if not result.fits:
        pruning = pruning_of(run)
        raise SynthesisError(advise(result.total, target, pruning.ratio, pruning.weight_bits))
    return result


def _synthesise_all(
    sources: dict[str, CoreSources], board: Board, jobs: int, cache: SynthesisCache, core_timeout: float
) -> dict[str, tuple[SynthesisedCore, bool]]:
    """Cores and whether they came from the cache, by node name; identical cores are synthesised once."""
    keys = {name: content_key(core, board.family) for name, core in sources.items()}
    found: dict[str, tuple[SynthesisedCore, bool]] = {}
    missing: dict[str, CoreSources] = {}
    for name, key in keys.items():
        stored = cache.load(key)
        if stored is not None:
            found[key] = (stored, True)
        else:
            missing.setdefault(key, sources[name])
    if missing:
        start_yosys()
        with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
            # The largest sources first: a long core that starts last would leave the other processes idle.
            order = sorted(missing, key=lambda key: _source_bytes(missing[key]), reverse=True)
            futures: dict[Future[Any], str] = {
                pool.submit(synthesise_core, missing[key], board.family, core_timeout): key for key in order
            }
            ended: list[str] = []
            progress = Progress(f"synthesis for {board.family}", "cores")
            progress.show(0, len(missing))

            def keep(key: str, done: SynthesisedCore) -> None:
                cache.store(key, done)
                found[key] = (done, False)
                finished = sum(key in found for key in missing)
                progress.show(finished, len(missing), f"{missing[key].module} {done.seconds:.0f} s")

            try:
                for future in as_completed(futures):
                    try:
                        keep(futures[future], future.result())
                    except EndedError:
                        ended.append(futures[future])
                # Several at a time may take more memory than there is; one alone gets a second chance.
                for key in ended:
                    keep(key, synthesise_core(missing[key], board.family, core_timeout))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return {name: found[key] for name, key in keys.items()}


def _source_bytes(core: CoreSources) -> int:
    return sum((core.root / file).stat().st_size for file in core.files)


def _limit(periods: dict[str, CorePeriod], board: Board) -> TimingLimit | None:
    """The core whose period is the longest, against the board's clock."""
    if not periods:
        return None
    core, period = max(periods.items(), key=lambda item: item[1].ns)
    target = NS_PER_US / board.clock_mhz
    return TimingLimit(
        core=core,
        period_ns=period.ns,
        start=period.start,
        end=period.end,
        target_ns=target,
        met=period.ns <= target,
        speed_grade=SPEED_GRADES[board.family],
        part_speed_grade=board.speed_grade,
    )


def _core_result(node: RenderedNode, core: SynthesisedCore, cached: bool, period: CorePeriod | None) -> CoreResult:
    use = core.use
    return CoreResult(
        name=node.name,
        op=node.op,
        pe=node.parameters.get("pe"),
        simd=node.parameters.get("simd"),
        tp=node.parameters.get("tp"),
        cycles=node.cycles,
        lut=use.resources.lut,
        ff=use.resources.ff,
        bram36=use.resources.bram36,
        dsp=use.resources.dsp,
        memory_luts=use.memory_luts,
        seconds=round(core.seconds, 2),
        cached=cached,
        period_ns=period.ns if period else None,
        critical_start=period.start if period else None,
        critical_end=period.end if period else None,
    )
