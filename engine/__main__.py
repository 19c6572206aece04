"""`python -m engine`."""

import os
import sys

from engine.cli import main
from engine.jobs.processes import worker_environment

os.environ.update(worker_environment())  # for PyTorch in this process, which nothing has loaded yet
sys.exit(main(sys.argv[1:]))
