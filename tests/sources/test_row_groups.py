"""Media in tables of Parquet, read by many threads at once."""

import random
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from vidal.sources.row_groups import RowGroups

GROUPS, ROWS = 6, 3


def test_threads_that_need_more_groups_than_are_kept_all_get_their_rows(tmp_path):
    contents = [f"media {number}".encode() * 1000 for number in range(GROUPS * ROWS)]
    pq.write_table(pa.table({"video": contents}), tmp_path / "t.parquet", row_group_size=ROWS)
    groups = RowGroups(10**6)

    def read(place):
        group, row, time = place
        target = tmp_path / f"{group}-{row}-{time}"
        path = groups.cell("t", lambda: (tmp_path / "t.parquet").open("rb"), "video", group, row, target)
        return path == "" and target.read_bytes() == contents[group * ROWS + row]

    places = [(group, row, time) for group in range(GROUPS) for row in range(ROWS) for time in range(20)]
    random.Random(0).shuffle(places)
    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(read, places))
    groups.close()
