"""The files of deploy/: what can be checked without Docker, Kubernetes and Slurm. The Slurm script runs on stand-ins of its commands."""

import contextlib
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import FUSED, LIGHT, ROOT, sets, write_video

DEPLOY = ROOT / "deploy"


def test_the_image_copies_only_what_exists_and_installs_with_our_constraints():
    lines = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text()).splitlines()
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    assert "pyproject.toml" in copied and all((ROOT / name).exists() for name in copied)
    (install,) = [line for line in lines if line.startswith("RUN python")]
    assert "--constraint constraints.txt" in install and "--no-deps --requirement requirements-embedded.txt" in install
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {name.strip("./") for name in copied} & {name.strip("/*") for name in ignored}


def test_what_the_image_copies_is_enough_to_install_the_package(tmp_path):
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    for name in (name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]):
        target = tmp_path / "source" / name.removeprefix("./")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", str(ROOT / name), str(target)], check=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(tmp_path / "site"),
        str(tmp_path / "source"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "site/vidal/cli/main.py").exists()


def test_the_job_of_kubernetes_runs_an_entry_point_that_exists_with_our_version_of_ray():
    job = yaml.safe_load((DEPLOY / "rayjob.yaml").read_text())
    python, script, *arguments = job["spec"]["entrypoint"].split()
    assert python == "python" and (ROOT / script.removeprefix("/opt/vidal/")).exists()
    assert (ROOT / "pipelines" / f"{arguments[arguments.index('--recipe') + 1]}.yaml").exists()
    (ray,) = re.findall(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == ray
    pods = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    images = {container["image"] for pod in pods for container in pod["template"]["spec"]["containers"]}
    assert images == {"vidal:latest"}  # All nodes need the same code.


STAND_INS = {
    "scontrol": "#!/bin/sh\necho localhost\n",
    # Drops the options of srun, and runs the rest here.
    "srun": '#!/bin/sh\nwhile [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n',
    "hostname": "#!/bin/sh\necho 127.0.0.1\n",
}


@pytest.mark.slow
def test_the_slurm_script_builds_a_shard_on_one_node(tmp_path, serve_folder):
    for name, text in STAND_INS.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "media").mkdir()
    for index in range(3):
        write_video(tmp_path / "media" / f"{index}.mp4", frames=20 + index)
    base = serve_folder(tmp_path / "media")
    pd.DataFrame({"url": [f"{base}/{i}.mp4" for i in range(3)], "title": "A cat"}).to_csv(
        tmp_path / "c.csv", index=False
    )
    slurm = {"SLURM_SUBMIT_DIR": str(ROOT), "SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NODELIST": "localhost",
             "SLURM_JOB_NUM_NODES": "1", "SLURM_CPUS_PER_TASK": "2", "VIDAL_VENV": str(Path(sys.prefix)),
             "RECIPE": "embedded", "OUT": str(tmp_path / "out"), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}  # fmt: skip
    options = sets(*LIGHT, *FUSED, "filters.similarity_min=null", "duplicates={exact: false, near: false}")
    command = [
        "bash",
        str(DEPLOY / "build.slurm"),
        "--catalogue",
        str(tmp_path / "c.csv"),
        "--allow-host",
        "127.0.0.1",
        *options,
    ]
    with (tmp_path / "job.log").open("w+") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **slurm}, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
        try:
            process.wait(timeout=280)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # Slurm ends the Ray nodes with the job.
        log.seek(0)
        output = log.read()
    assert process.returncode == 0, output[-3000:]
    assert len(pd.read_parquet(tmp_path / "out")) == 3


def test_the_slurm_script_can_be_executed():
    assert os.stat(DEPLOY / "build.slurm").st_mode & stat.S_IXUSR
