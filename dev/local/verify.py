"""`./run verify FILE --trust DIR`: whether a sealed document is what the office sealed, without the platform."""

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from evidence import confined
from evidence.documents import LARGEST, Finding, Verdict

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


def main(arguments: list[str]) -> int:
    """Judge one file; 0 when it is VALID, 1 when it is anything else, 2 when it cannot be judged."""
    parser = argparse.ArgumentParser("run verify", description="Judge a sealed document offline.")
    parser.add_argument("file", type=Path, help="the document (PDF)")
    parser.add_argument("--trust", type=Path, required=True, help="folder with trust.toml (docs/seals.md)")
    asked = parser.parse_args(arguments)
    try:
        with asked.file.open("rb") as file:
            verdict = confined.judge(file.read(LARGEST + 1), asked.trust)
    except (OSError, confined.CannotJudge) as trouble:
        print(f"run verify: {trouble}", file=sys.stderr)
        return 2
    print("\n".join(lines(verdict)))
    return 0 if verdict.finding is Finding.VALID else 1


def lines(verdict: Verdict) -> list[str]:
    """Return what is printed of a verdict: finding and sentence first, then what is known."""
    known = {
        "签章": verdict.signer,
        "机关": verdict.organisation,
        "证书": verdict.certificate,
        "时间": None if verdict.signed_at is None else local(verdict.signed_at),
        "时间戳": verdict.timestamped_by,
        "签章之外": verdict.outside,
        "文件": f"SHA-256 {verdict.digest}",
        "详情": verdict.detail,
    }
    return [f"{verdict.finding}  {verdict.sentence}", *(f"  {name}：{value}" for name, value in known.items() if value)]


def local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S} 北京时间"
