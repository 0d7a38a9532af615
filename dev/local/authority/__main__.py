"""One process of the authority: `serve` answers over HTTP; `prepare`, `issue`, `revoke`, `renew` do one thing and end.

python -m local.authority WHAT FOLDER URL      (what is ordered stands on standard input, as JSON)
"""

import json
import sys
from pathlib import Path

from local.authority import work
from local.trouble import Trouble

WORK = {"prepare": work.prepare, "issue": work.issue, "revoke": work.revoke, "renew": work.renew}


def main(what: str, folder: str, url: str) -> int:
    if what == "serve":
        from local.authority.server import serve

        return serve(Path(folder), url)
    WORK[what](Path(folder), url, json.load(sys.stdin))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Trouble as trouble:
        sys.exit(str(trouble))
