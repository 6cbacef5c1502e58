"""Processes on hosts: their lines are never lost, and whatever goes wrong with them is said at once."""

from __future__ import annotations

import signal
import sys

import pytest

from netlab import Host, Lab, ProcessError, matching


@pytest.fixture
def host(lab: Lab) -> Host:
    return lab.lan().host("tablet-1")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


NUMBERS = "import json\nfor n in range(%d): print(json.dumps({'event': 'number', 'n': n}))"
ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


async def test_the_pid_is_the_programs_own(host: Host) -> None:
    process = await host.spawn(python("import os; print(os.getpid())"))
    assert await process.read_line() == str(process.pid)
    assert await process.wait() == 0


async def test_lines_are_kept_until_they_are_read(host: Host) -> None:
    process = await host.spawn(python(NUMBERS % 3000))
    await process.wait()
    assert [(await process.read_json_line())["n"] for _ in range(3000)] == list(range(3000))


async def test_waiting_for_a_line_leaves_the_others_unread(host: Host) -> None:
    process = await host.spawn(python(NUMBERS % 3))
    assert await process.wait_for(matching(event="number", n=1)) == {"event": "number", "n": 1}
    assert [(await process.read_json_line())["n"] for _ in range(2)] == [0, 2]
    await process.wait()


async def test_a_long_line_passes_whole(host: Host) -> None:
    process = await host.spawn(python("print('x' * 1_000_000)"))
    assert len(await process.read_line()) == 1_000_000
    await process.wait()


async def test_json_goes_in_and_comes_out(host: Host) -> None:
    process = await host.spawn(python(ECHO))
    await process.send_json({"command": "send", "text": "grüße"})
    assert await process.read_json_line() == {"command": "send", "text": "grüße"}
    process.close_stdin()
    assert await process.wait() == 0


async def test_an_end_while_waiting_is_told_with_status_and_stderr(host: Host) -> None:
    process = await host.spawn(python("print('{\"event\": \"unread\"}'); raise SystemExit('out of cheese')"))
    with pytest.raises(ProcessError, match=r"(?s)tablet-1.*ended with status 1.*unread.*out of cheese"):
        await process.wait_for(matching(event="ready"))


async def test_what_is_not_json_is_told(host: Host) -> None:
    process = await host.spawn(python("print('Traceback')"))
    with pytest.raises(ProcessError, match="no JSON object: 'Traceback'"):
        await process.read_json_line()
    await process.wait()


async def test_a_timeout_is_told_and_loses_nothing(host: Host) -> None:
    process = await host.spawn(python(ECHO))
    with pytest.raises(ProcessError, match=r"did not come within 0\.05 s"):
        await process.read_line(timeout=0.05)
    await process.send_json({"late": True})
    assert await process.read_json_line() == {"late": True}
    await process.terminate()


async def test_writing_to_an_ended_process_is_an_error(host: Host) -> None:
    process = await host.spawn(python(""))
    await process.wait()
    with pytest.raises(ProcessError, match="stdin"):
        await process.send_json({})


async def test_a_frozen_process_can_be_thawed_and_ended(host: Host) -> None:
    process = await host.spawn(python(ECHO))
    process.send_signal(signal.SIGSTOP)
    await process.send_json({"n": 1})
    process.send_signal(signal.SIGCONT)
    assert await process.read_json_line() == {"n": 1}
    process.send_signal(signal.SIGSTOP)
    assert await process.kill() == -signal.SIGKILL


async def test_ending_twice_is_silent(host: Host) -> None:
    process = await host.spawn(["sleep", "1000"])
    assert await process.terminate() == -signal.SIGTERM
    assert await process.kill() == -signal.SIGTERM


async def test_a_process_that_ignores_the_request_to_end_is_told(host: Host) -> None:
    process = await host.spawn(python("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"))
    await process.read_line()
    with pytest.raises(ProcessError, match="did not end"):
        await process.terminate(timeout=0.05)
    await process.kill()


async def test_run_returns_status_and_output(host: Host) -> None:
    finished = await host.run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (finished.status, finished.stdout, finished.stderr) == (3, "out", "err")


async def test_run_ends_what_takes_too_long(host: Host, lab: Lab) -> None:
    with pytest.raises(ProcessError):
        await host.run(["sleep", "1000"], timeout=0.05)
    assert not any(process.is_running for process in lab.processes)


async def test_the_environment_is_added_to(host: Host) -> None:
    finished = await host.run(["sh", "-c", "echo $GREETING; command -v sh"], env={"GREETING": "hello"})
    assert finished.stdout.splitlines()[0] == "hello"
    assert finished.status == 0
