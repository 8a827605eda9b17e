"""SFTP on loopback, for this machine's files, and its clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Sftp:
    """An SFTP server for this machine's files."""

    port: int
    known_hosts: str
    """The line for ``~/.ssh/known_hosts``."""
    connections: list[Any] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None

    def url(self, path: Path) -> str:
        """The URL of a folder."""
        return f"sftp://127.0.0.1:{self.port}{path}"

    def drop_connections(self) -> None:
        """End all sessions without a word, as a restart would."""
        assert self.loop is not None
        for connection in self.connections:
            self.loop.call_soon_threadsafe(connection.abort)
        self.connections.clear()


@contextmanager
def sftp_server(*, shell: bool = True, password: str | None = None) -> Iterator[Sftp]:
    """SFTP on loopback; with ``shell``, commands are run, too. Anybody may log in if there is no password."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    started = threading.Event()
    found: list[Sftp] = []
    loop = asyncio.new_event_loop()

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: Any) -> None:
            found[0].connections.append(conn)

        def begin_auth(self, username: str) -> bool:
            return password is not None

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password_given: str) -> bool:
            return password_given == password

    async def run(process: Any) -> None:
        command = await asyncio.create_subprocess_shell(
            process.command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await command.communicate()
        process.stdout.write(out.decode())
        process.stderr.write(err.decode())
        process.exit(command.returncode)

    async def listen() -> Any:
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Server,
            server_host_keys=[key],
            sftp_factory=True,
            process_factory=run if shell else None,
        )
        port = listener.get_port()
        line = f"[127.0.0.1]:{port} {key.export_public_key().decode()}"
        found.append(Sftp(port, line, loop=loop))
        started.set()
        return listener

    def serve() -> None:
        asyncio.set_event_loop(loop)
        listener = loop.run_until_complete(listen())
        loop.run_forever()
        listener.close()
        loop.run_until_complete(listener.wait_closed())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield found[0]
    finally:
        found[0].drop_connections()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@contextmanager
def sftp_client_of(server: Sftp, home: Path) -> Iterator[None]:
    """Let this process, and those that it starts, trust ``server``; ``home`` stands for the user's."""
    from sshfs import SSHFileSystem

    with pytest.MonkeyPatch.context() as patch:
        (home / ".ssh").mkdir(parents=True, exist_ok=True)
        (home / ".ssh" / "known_hosts").write_text(server.known_hosts)
        patch.setenv("HOME", str(home))
        patch.delenv("SSH_AUTH_SOCK", raising=False)
        SSHFileSystem.clear_instance_cache()
        yield
        SSHFileSystem.clear_instance_cache()
