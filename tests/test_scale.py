"""Memory does not grow with a task: `tests.benchmarks.scale`, with few images and a bound that shows a copy of them."""

import json
import subprocess
import sys

import pytest

# Beyond what the libraries take, MB. The stages need up to 220 (two cores, one thread of PyTorch), of which more cores
# take a little more; 2,000 images at 224 px are 300.
MOST = 350
CHOSEN = ["--images", "2000", "--budget", "16", "--batch", "4", "--json"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at memory in /proc")
def test_no_stage_holds_a_copy_of_the_images():
    ended = subprocess.run([sys.executable, "-m", "tests.benchmarks.scale", *CHOSEN], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    stages = json.loads(ended.stdout)["stages"]
    assert len(stages) == 5
    assert {stage["name"]: stage["own_mb"] for stage in stages if stage["own_mb"] > MOST} == {}
