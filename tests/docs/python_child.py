"""The process that runs the Python blocks of one page, all in one namespace.

Each line of standard input is JSON, ``{"code", "name", "line"}``; each is answered by one line of JSON on the
descriptor that is given as argument: null, or what went wrong.
"""

from __future__ import annotations

import json
import os
import sys
import traceback


def main() -> None:
    """Run blocks until standard input ends."""
    namespace = {"__name__": "__main__"}
    with os.fdopen(int(sys.argv[1]), "w") as answers:
        for request in sys.stdin:
            block = json.loads(request)
            try:
                code = "\n" * (block["line"] - 1) + block["code"]
                exec(compile(code, block["name"], "exec"), namespace)
                problem = None
            except BaseException:  # noqa: BLE001 whatever a page does is told to the test
                problem = traceback.format_exc()
            print(json.dumps(problem), file=answers, flush=True)


if __name__ == "__main__":
    main()
