"""Entry point of a Ray job: the same as `vidal build-shard`, so that `ray job submit -- python pipelines/build_shard.py 0 ...` works."""

import sys

from vidal.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "build-shard")
    main()
