"""Fills the disk of a lab that lies on a small file system, and undoes it; says in JSON what it saw. Run by a test."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psycopg

from drillmark import lab as labs
from drillmark.faults import disk_full
from lab_helpers import SMALL_BYTES, healthy, order, request
from waiting import until

FILLER = "insert into orders (customer, item, quantity, price) select 'f', 'f', 1, 0 from generate_series(1, 2000000)"

place = Path(sys.argv[1])
up = labs.up(place, scale_bytes=SMALL_BYTES)
try:
    os.environ.update(up.environment)
    said = disk_full.fill("orders", FILLER, dsn=up.environment["ORDERS_DSN"])
    free = os.statvfs(place)
    said["free_bytes"] = free.f_bavail * free.f_frsize
    said["is_full"] = disk_full.is_full()
    try:
        psycopg.connect(up.environment["ORDERS_DSN"], autocommit=True).execute(FILLER)
    except psycopg.Error as error:
        said["refused"] = str(error)
    said["undo"] = [
        disk_full.make_room(dsn=up.environment["ORDERS_DSN"]),
        disk_full.make_room(dsn=up.environment["ORDERS_DSN"]),
    ]
    said["is_full_after"] = disk_full.is_full()
    said["left"] = [path.name for path in up.layout.clusters.iterdir() if path.name != "main"]
    until(lambda: healthy(up) and request(up, "GET", "/orders/latest")[0] == 200, seconds=60)
    said["healthy"] = bool(order(up))
    print(json.dumps(said))
finally:
    labs.down(place)
