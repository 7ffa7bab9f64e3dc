"""A short worker of the next version: another number, other code in DBOS's eyes, and a schema one migration ahead.

python other_version.py VERSION REVISION [as short_worker.py]
"""

from __future__ import annotations

import sys

import short_worker
from dbos import DBOS

from drillmark.database import versions
from drillmark.fleet import members


@DBOS.workflow(name="drillmark.only-in-the-next-version")
def only_here() -> str:
    """DBOS tells versions by a hash over the code of all workflows, unless it is told one."""
    return "new"


def main() -> None:
    members.__version__, versions.HEAD = sys.argv[1:3]
    del sys.argv[1:3]
    short_worker.main()


if __name__ == "__main__":
    main()
