"""``make fuzz``: coverage-guided fuzzing of every reader of what comes from outside, one process for each.

::

    python -m tests.fuzz [TARGET ...]       fuzz these, or all
    python -m tests.fuzz --repeat TARGET FILE

Each gets ATHERIS_RUNS inputs (100,000), however long that takes, and more until ATHERIS_SECONDS (60) are over. What was found to lead
further is kept in .fuzz/corpus for the next time, and an input that raises something that is not declared, takes too long or too much
memory in .fuzz/findings. Exit status 1: there is one, or a reader got fewer inputs.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import attrs

HERE = Path(__file__).parent
FOLDER, SHARED = Path(".fuzz"), Path("/dev/shm")
RUNS, SECONDS = 100_000, 60
LIMIT_SECONDS = 10
"""For one input; instrumented code is several times as slow as it is without."""
LIMIT_MEGABYTES = 768
OVERTIME = 120
"""Seconds beyond its time after which a fuzzer is ended."""
SLOWEST_RUN = 0.2
"""Seconds for each of its inputs, on the average, that it has beside its time."""
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parents[1] / "core" / "tests" / "support")))}


@attrs.frozen
class Report:
    """How it went with one target."""

    target: str
    runs: int
    seconds: float
    covered: int
    slowest: float
    megabytes: int
    findings: tuple[Path, ...]

    def __str__(self) -> str:
        """One line, and two for each finding."""
        told = f"{len(self.findings)} FOUND" if self.findings else "nothing found"
        line = (
            f"{self.target:22} {self.runs:>9} runs in {self.seconds:4.0f} s, {self.covered:>5} edges,"
            f" slowest {self.slowest * 1000:5.0f} ms, {self.megabytes:>4} MB: {told}"
        )
        again = [f"    {path}\n    again: {sys.executable} -m tests.fuzz --repeat {self.target} {path}" for path in self.findings]
        return "\n".join([line, *again])


def fuzz(target: str, runs: int, seconds: int) -> Report:
    """Fuzz one target: so many inputs, and then more until the time is over."""
    begun = time.monotonic()
    report = _fuzz(target, f"-runs={runs}", OVERTIME + runs * SLOWEST_RUN)
    rest = int(seconds - (time.monotonic() - begun))
    if report.findings or rest < 1:
        return report
    more = _fuzz(target, f"-max_total_time={rest}", rest + OVERTIME)
    return attrs.evolve(
        more,
        runs=report.runs + more.runs,
        seconds=report.seconds + more.seconds,
        slowest=max(report.slowest, more.slowest),
        megabytes=max(report.megabytes, more.megabytes),
    )


def _fuzz(target: str, budget: str, patience: float) -> Report:
    """Fuzz in a process of its own."""
    findings, corpus = FOLDER / "findings" / target, FOLDER / "corpus" / target
    for folder in (findings, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    before, start = set(findings.iterdir()), time.monotonic()
    limits = (budget, f"-timeout={LIMIT_SECONDS}", f"-rss_limit_mb={LIMIT_MEGABYTES}")
    command = [sys.executable, "-m", "tests.fuzz.guided", target, str(corpus), *limits, f"-artifact_prefix={findings}/"]
    # A store waits for its disk at every commit: in memory there is nothing to wait for.
    with tempfile.TemporaryDirectory(dir=SHARED if SHARED.is_dir() else None) as scratch:
        environment = os.environ | ENVIRONMENT | {"TMPDIR": scratch}
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, timeout=patience, check=False)
    found = tuple(sorted(set(findings.iterdir()) - before))
    if done.returncode and not found:
        sys.exit(f"{target} cannot be fuzzed:\n{done.stderr[-4000:]}")
    if found:
        print(done.stdout[-4000:], done.stderr[-2000:], sep="\n")
    return _report(target, done.stderr, time.monotonic() - start, found)


def _report(target: str, told: str, seconds: float, found: tuple[Path, ...]) -> Report:
    def last(pattern: str) -> float:
        return float(([0, *re.findall(pattern, told)])[-1])

    runs = int(last(r"stat::number_of_executed_units: +(\d+)") or last(r"#(\d+)\t"))
    covered, slowest, megabytes = int(last(r"cov: (\d+)")), last(r"slowest ([\d.]+) s"), int(last(r"rss: (\d+)Mb"))
    return Report(target, runs, seconds, covered, slowest, megabytes, found)


def main(words: list[str]) -> int:
    if words[:1] == ["--repeat"]:
        target, path = words[1:]
        return subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", target, path], env=os.environ | ENVIRONMENT, check=False
        ).returncode
    if importlib.util.find_spec("atheris") is None:
        print(
            f"Coverage-guided fuzzing was left out: atheris has no wheel for {platform.python_implementation()}"
            f" {platform.python_version()} on {sys.platform} {platform.machine()} (it has them for CPython 3.11 to 3.14 on Linux x86_64)."
        )
        return 0
    listed = subprocess.run(
        [sys.executable, "-c", "from tests.fuzz.targets import TARGETS; print(*TARGETS)"],
        env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    runs, seconds = (int(os.environ.get(name, usual)) for name, usual in (("ATHERIS_RUNS", RUNS), ("ATHERIS_SECONDS", SECONDS)))
    reports = []
    for target in words or listed.stdout.split():
        reports.append(fuzz(target, runs, seconds))
        print(reports[-1], flush=True)
    found, fewest = sum(len(report.findings) for report in reports), min(report.runs for report in reports)
    print(f"{len(reports)} targets, {sum(report.runs for report in reports)} runs, {fewest} of one at least, {found} findings")
    return 1 if found or fewest < runs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
