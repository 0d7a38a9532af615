"""The law before its judges, at length: so many random histories of clocks, lights and stages, on every core.

Exit 1 when the law and a judge disagree about one; its seed is told and tried again with `--seed N --histories 1`.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from bench.machine import machine
from local.oracle_trial import judged

RESULT = Path(__file__).parent / "results" / "oracle.json"
CHUNK = 500
TOLD_AT_MOST = 20


def main(arguments: list[str]) -> int:
    """Try the histories, print progress and write the figures."""
    parser = argparse.ArgumentParser(prog="./run bench oracle", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000, help="how many (default 100 000)")
    parser.add_argument("--seed", type=int, help="the first seed (default: another one each time)")
    options = parser.parse_args(arguments)
    if options.histories < 1:
        parser.error("--histories must be at least 1")
    first = options.seed if options.seed is not None else random.SystemRandom().randrange(2**40)
    began = time.monotonic()
    wrong = list(_tried(first, options.histories))
    seconds = time.monotonic() - began
    figures: dict[str, Any] = {
        "histories": options.histories,
        "first_seed": first,
        "disagreements": len(wrong),
        "told": wrong[:TOLD_AT_MOST],
        "seconds": round(seconds, 1),
        "histories_per_second": round(options.histories / seconds),
        "machine": machine(),
    }
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    RESULT.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return 1 if wrong else 0


def _tried(first: int, histories: int) -> Iterator[str]:
    """Yield every disagreement; a line of progress for each tenth."""
    last = first + histories
    chunks = [range(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, told in enumerate(pool.map(_wrong, chunks), 1):
            yield from told
            if done % max(1, len(chunks) // 10) == 0:
                print(f"· {min(done * CHUNK, histories)} of {histories}", flush=True)


def _wrong(seeds: Iterable[int]) -> list[str]:
    return [told for seed in seeds if (told := _judged(seed))]


def _judged(seed: int) -> str:
    try:
        return judged(seed)
    except Exception as trouble:  # a crash is a disagreement too, and must not hide the others
        return f"seed {seed}: {trouble!r}"
