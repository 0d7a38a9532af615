"""Child processes that never outlive the runner: their own group, killed by the kernel when the parent dies."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
_spawner: Final = ThreadPoolExecutor(1, thread_name_prefix="spawner")
"""The kernel takes the death of the thread that started a child for the death of its parent: one thread starts all."""
_libc = ctypes.CDLL(None, use_errno=True) if os.uname().sysname == "Linux" else None


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` with its output in `log`; `user` is a uid to become first."""
    return _spawner.submit(_start, command, log, environment, user, folder).result()


def _start(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None, user: int | None, folder: Path | None
) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
            preexec_fn=_die_with_parent,
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
        )


def stop(process: subprocess.Popen[bytes] | None, seconds: float = 30.0, how: int = signal.SIGTERM) -> None:
    """Ask a process to end, and kill its whole group when it does not in time."""
    if process is None:
        return
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            kill(process)
    process.wait()


def kill(process: subprocess.Popen[bytes] | None) -> None:
    """Kill a process and its group at once (SIGKILL)."""
    if process is not None and process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
