"""The examples for CI: the YAML is what the services take, and the shell steps do what they say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from gate_cases import made_result, made_score

from gandiag import Policy, read_history

FOLDER = Path(__file__).parent.parent.parent / "examples" / "ci"
POLICY = 'samples = 300\n[[gate]]\nmetric = "fid"\nmax = {limit}\n[[gate]]\nmetric = "fid"\nmax_regression = "10%"\n'


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("github-workflow.yml", "github-workflows"),
        ("action/action.yml", "github-actions"),
        ("gitlab-ci.yml", "gitlab-ci"),
    ],
)
def test_the_yaml_follows_its_schema(file, schema):
    arguments = ["--builtin-schema", f"vendor.{schema}", str(FOLDER / file)]
    if schema == "gitlab-ci":
        arguments += ["--data-transform", "gitlab-ci"]
    command = [sys.executable, "-m", "check_jsonschema", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hook_is_one_that_pre_commit_takes():
    from pre_commit.clientlib import load_config

    config = load_config(str(FOLDER / "pre-commit-config.yaml"))
    assert config["repos"][0]["hooks"][0]["id"] == "gandiag-gate"


def test_the_policy_can_be_read():
    assert len(Policy.load(FOLDER / "gates.toml").gates) == 3


@pytest.fixture
def project(tmp_path, save_ring):
    """A folder with a checkpoint and a policy, and a way to run a script there with this gandiag first in the path."""
    (tmp_path / "project").mkdir()
    shutil.copy(save_ring(), tmp_path / "project" / "ring.pt")

    def run(script: str, limit: float = 1000, **variables: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "project" / "gates.toml").write_text(POLICY.format(limit=limit), encoding="utf-8")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "SOURCE": "ring.pt", "POLICY": "gates.toml", "HISTORY": "releases"}
        command = ["bash", "-e", "-o", "pipefail", "-c", script, "bash", "ring.pt"]
        return subprocess.run(
            command,
            cwd=tmp_path / "project",
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    run.folder = tmp_path / "project"
    return run


def test_the_release_script_publishes_what_passed_and_only_that(project):
    script = f'"{FOLDER / "release.sh"}" "$@"'
    done = project(script, limit=0)
    assert done.returncode == 1, done.stderr
    assert not (project.folder / "published").exists()
    done = project(script)
    assert done.returncode == 0, done.stderr
    assert (project.folder / "published" / "ring.pt").exists()
    assert [record.passed for record in read_history(project.folder / "releases")] == [False, True]


def test_the_action_gates_and_says_how_it_came_out(project):
    action = yaml.safe_load((FOLDER / "action" / "action.yml").read_text(encoding="utf-8"))
    install, gate = action["runs"]["steps"]
    assert "${{" not in install["run"] + gate["run"]  # nothing of a stranger is pasted into a script
    for limit, code, status in ((1000, 0, "passed"), (0, 1, "failed")):
        output, summary = project.folder / f"output-{code}", project.folder / f"summary-{code}.md"
        done = project(gate["run"], limit, GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(summary))
        assert done.returncode == code, done.stderr
        assert output.read_text(encoding="utf-8") == f"status={status}\n"
        assert status.upper() in summary.read_text(encoding="utf-8")
    assert (project.folder / "gate.xml").exists()


@pytest.mark.slow
def test_a_name_with_a_command_in_it_is_a_name(project):
    action = yaml.safe_load((FOLDER / "action" / "action.yml").read_text(encoding="utf-8"))
    done = project(action["runs"]["steps"][1]["run"], SOURCE="$(touch owned); touch owned #", GITHUB_OUTPUT="output")
    assert done.returncode == 2
    assert not (project.folder / "owned").exists()


@pytest.mark.slow
def test_the_gitlab_job_gates(project):
    job = yaml.safe_load((FOLDER / "gitlab-ci.yml").read_text(encoding="utf-8"))["gate"]
    done = project("\n".join(job["script"]))
    assert done.returncode == 0, done.stderr
    for path in (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]):
        assert (project.folder / path).exists(), path
    assert job["allow_failure"]["exit_codes"] == [4]


def test_the_hook_refuses_a_policy_that_the_result_does_not_pass(project):
    config = yaml.safe_load((FOLDER / "pre-commit-config.yaml").read_text(encoding="utf-8"))
    entry = config["repos"][0]["hooks"][0]["entry"]
    made_result(fid=made_score(10.0)).save(project.folder / "result.json")
    assert project(entry).returncode == 2  # the policy compares with a baseline, and the hook gives none
    for limit, code in ((11, 0), (9, 1)):
        text = f'[[gate]]\nmetric = "fid"\nmax = {limit}\n'
        done = project(f"cat > gates.toml <<'E'\n{text}E\n{entry}")
        assert done.returncode == code, done.stderr
