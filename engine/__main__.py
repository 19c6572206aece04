"""`python -m engine`."""

import io
import os
import sys

from engine.cli import main
from engine.jobs.processes import worker_environment

os.environ.update(worker_environment())  # for PyTorch in this process, which nothing has loaded yet
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show × or − shows its code
sys.exit(main(sys.argv[1:]))
