"""schemathesis, unmodified, calls everything that Gorgias's twin says it serves: no 5xx, no answer outside that."""

import os
import re
import subprocess
import sys

import pytest

from tests.sandbox.clients.gorgias_twin import gorgias_sandbox

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
PEOPLE = "^/api/(customers|tickets|messages)"


# In two halves, so that two workers share the work.
@pytest.mark.slow
@pytest.mark.parametrize("half", ["--include-path-regex", "--exclude-path-regex"])
def test_schemathesis_finds_no_5xx_and_no_answer_outside_the_description_of_gorgias(tmp_path, half):
    with gorgias_sandbox(tmp_path / "sandbox", customers=20, tickets=20) as gorgias:
        # A path that the vendor does not know may be answered 501 by default: that is the tier, not a breakdown.
        gorgias.switch(unknown_path=404)
        command = (
            sys.executable, "-m", "schemathesis.cli", "run", f"{gorgias.url}/openapi.json", half, PEOPLE,
            "--auth", ":".join(gorgias.auth), "--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing,stateful",
            "--generation-deterministic", "--max-examples", "5", "--no-shrink", "--continue-on-failure",
            "--suppress-health-check", "all", "--no-color",
        )  # fmt: skip
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            command, cwd=tmp_path, env=quiet, capture_output=True, text=True, timeout=500, check=False
        )
    told = done.stdout[-20_000:] + done.stderr[-2_000:]
    assert done.returncode == 0, told
    counted = re.search(r"Selected: (\d+)/(\d+)\n\s*Tested: (\d+)", told)
    assert counted, told
    assert counted[1] == counted[3], told
    assert 20 < int(counted[1]) < int(counted[2]), told
