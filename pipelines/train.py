"""Entry point of a Ray job: the same as `vidal train`, so that `ray job submit -- python pipelines/train.py --data OUT ...` works."""

import sys

from vidal.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
