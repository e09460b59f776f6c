"""A hub on 127.0.0.1: the parts of the Hugging Face API that clients use, with faults on demand and a log.

Two servers run in threads: the hub itself, and the storage (another origin) that it redirects to for large files.
Use it in tests through the `hub` fixture, or as a program that serves a folder of packages called `OWNER--REPO`:

    python tests/hub_server.py FOLDER --port 8080 --token secret
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

from hub_files import (
    LARGE,
    LARGE_SUFFIXES,
    Content,
    Entry,
    Fault,
    OnDisk,
    Quota,
    Repo,
    content_of,
    description,
    oid_of,
)
from hub_uploads import Uploads


class HubServer:
    """The hub and its storage."""

    def __init__(self, port: int = 0, cdn_port: int = 0) -> None:
        self.repos: dict[str, Repo] = {}
        self.renamed: dict[str, str] = {}
        self.users: dict[str, str] = {}
        """Token -> user name."""
        self.faults: list[Fault] = []
        self.log: list[Entry] = []
        self.lfs: dict[str, bytes] = {}
        self.page = 100
        self.quota: Quota | None = None
        self.lock = threading.Lock()
        self._servers = [
            _Server(("127.0.0.1", port), _hub_handler(self)),
            _Server(("127.0.0.1", cdn_port), _cdn_handler(self)),
        ]
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in self._servers
        ]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def cdn(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join(5)

    def add(self, name: str, files: Mapping[str, Content | bytes | str | dict[str, Any]], **more: Any) -> Repo:
        """Adds a repository; texts and dictionaries become files."""
        repo = Repo(name, {path: content_of(value) for path, value in files.items()}, **more)
        self.repos[name] = repo
        return repo

    def add_folder(self, folder: Path) -> Repo:
        """Adds a folder called `OWNER--REPO`."""
        files = {str(path.relative_to(folder)): OnDisk(path) for path in sorted(folder.rglob("*")) if path.is_file()}
        return self.add(folder.name.replace("--", "/", 1), files)

    def fault(self, pattern: str, kind: str, **more: Any) -> Fault:
        fault = Fault(pattern, kind, **more)
        self.faults.append(fault)
        return fault

    def take_fault(self, side: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.side == side and fault.times != 0 and re.search(fault.pattern, path):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    @property
    def sent(self) -> int:
        """Bytes of all bodies that were sent."""
        return sum(entry.sent for entry in self.log)

    def requests(self, pattern: str = "", side: str | None = None, method: str | None = None) -> list[Entry]:
        return [
            entry
            for entry in self.log
            if re.search(pattern, entry.path) and side in {None, entry.side} and method in {None, entry.method}
        ]

    def uploads(self) -> list[Entry]:
        """Requests that would change something."""
        return [entry for entry in self.log if entry.method in {"POST", "PUT", "DELETE"}]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up early is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    side: str
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silent: the log is `HubServer.log`."""

    def _start(self) -> bool:
        """Logs the request and acts out a fault; False when the request is dealt with."""
        split = urlsplit(self.path)
        self.route, self.query = unquote(split.path), parse_qs(split.query)
        authorization = self.headers.get("authorization", "")
        self.token = authorization.removeprefix("Bearer ") if authorization else None
        self.entry = Entry(self.side, self.command, self.route, self.headers.get("range"), self.token is not None)
        with self.hub.lock:
            self.hub.log.append(self.entry)
        length = int(self.headers.get("content-length") or 0)
        self.body = self.rfile.read(length) if length else b""
        self.told: dict[str, str] = {}
        if self.hub.quota is not None and self.route.startswith("/api/"):
            with self.hub.lock:
                within, self.told = self.hub.quota.take()
            if not within:
                self.reply(429, {"error": "too many requests"})
                return False
        self.active = self.hub.take_fault(self.side, self.route)
        if self.active is None:
            return True
        if self.active.kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return False
        if self.active.kind == "slow":
            time.sleep(self.active.seconds)
        if self.active.kind == "status":
            self.reply(self.active.status, {"error": "on demand"}, self.active.headers)
            return False
        if self.active.kind == "body":
            self.reply(200, self.active.body)
            return False
        return True

    def reply(self, status: int, body: bytes | Any = b"", headers: Mapping[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.entry.status = status
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(data)), **self.told, **(headers or {})}
        for key, value in sent.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self._write(data)

    def _write(self, data: bytes) -> None:
        for start in range(0, len(data), 16384):
            piece = data[start : start + 16384]
            self.wfile.write(piece)
            self.entry.sent += len(piece)

    def serve(self, content: Content, headers: Mapping[str, str] | None = None) -> None:
        """A file, whole or by range, with whatever fault is due."""
        kind = self.active.kind if self.active else ""
        extra = dict(headers or {})
        start, stop, status = 0, content.length, 200
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range") or "")
        if match and kind not in {"ignore-range", "gzip-whole"}:
            start = int(match.group(1))
            if start >= content.length:
                self.reply(416, b"", {"Content-Range": f"bytes */{content.length}"})
                return
            stop = min(content.length, int(match.group(2)) + 1) if match.group(2) else content.length
            status = 206
            shown = start + 7 if kind == "wrong-range" else start
            extra["Content-Range"] = f"bytes {shown}-{stop - 1}/{content.length}"
        if kind in {"gzip", "gzip-whole"}:
            extra["Content-Encoding"] = "gzip"
        extra.setdefault("ETag", f'"{hashlib.sha1(repr(content.length).encode()).hexdigest()}"')
        self.entry.status = status
        self.send_response(status)
        for key, value in {"Content-Length": str(stop - start), "Accept-Ranges": "bytes", **extra}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if kind == "truncate":
            self._write(content.read(start, (stop - start) // 2))
            self.close_connection = True
            return
        position = start
        while position < stop:
            piece = content.read(position, min(64 << 10 if kind != "trickle" else 1, stop - position))
            self._write(piece)
            position += len(piece)
            if kind == "trickle":
                self.wfile.flush()
                time.sleep(self.active.seconds if self.active else 0)

    def _dispatch(self) -> None:
        if self._start():
            self.answer()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _dispatch  # noqa: N815 - the names that http.server looks for

    def answer(self) -> None:
        raise NotImplementedError


def _cdn_handler(server: HubServer) -> type[_Handler]:
    class Handler(_Handler):
        hub = server
        side = "cdn"

        def answer(self) -> None:
            if self.command == "PUT":
                self.hub.lfs[self.route.rsplit("/", 1)[-1]] = self.body
                self.reply(200)
                return
            if self.token is not None:
                self.reply(400, {"error": "credentials must not reach the storage"})
                return
            _, owner, name, path = self.route.split("/", 3)
            repo = self.hub.repos.get(f"{owner}/{name}" if owner != "_" else name)
            if repo is None or path not in repo.files or self.query.get("signature") != ["valid"]:
                self.reply(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})
                return
            self.serve(repo.files[path])

    return Handler


def _hub_handler(server: HubServer) -> type[_Handler]:
    class Handler(_HubHandler):
        hub = server
        side = "hub"

    return Handler


class _HubHandler(_Handler, Uploads):
    def answer(self) -> None:
        for method, pattern, action in _ROUTES:
            match = re.fullmatch(pattern, self.route)
            if match and self.command in method:
                action(self, *match.groups())
                return
        self.missing()

    def missing(self) -> None:
        """As the hub does: strangers cannot tell a missing repository from a private one."""
        if self.token is None:
            self.reply(
                401, {"error": "Invalid username or password."}, {"X-Error-Message": "Invalid username or password."}
            )
        else:
            self.reply(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})

    def find(self, repo_id: str, path: str) -> Repo | None:
        """The repository, unless it has moved, is missing or is hidden; then the answer is given."""
        if self.token is not None and self.hub.users and self.token not in self.hub.users:
            said = "Invalid credentials in Authorization header"
            self.reply(401, {"error": said}, {"X-Error-Message": said})
            return None
        if repo_id in self.hub.renamed:
            target = self.path.replace(quote(repo_id), quote(self.hub.renamed[repo_id]), 1)
            self.reply(307, b"Temporary Redirect", {"Location": target})
            return None
        repo = self.hub.repos.get(repo_id)
        if repo is None or (repo.private and self.token not in repo.allowed):
            self.missing()
            return None
        return repo

    def may_read(self, repo: Repo) -> bool:
        if repo.gated and self.token not in repo.allowed:
            said = f"Access to model {repo.name} is restricted."
            self.reply(
                401 if self.token is None else 403,
                {"error": said},
                {"X-Error-Code": "GatedRepo", "X-Error-Message": said},
            )
            return False
        return True

    def known_revision(self, repo: Repo, revision: str | None) -> bool:
        if revision in {None, "main", repo.sha}:
            return True
        self.reply(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        return False

    def model(self, repo_id: str, revision: str | None) -> None:
        repo = self.find(repo_id, self.route)
        if repo is not None and self.known_revision(repo, revision):
            self.reply(200, description(repo, blobs="blobs" in self.query))

    def models(self) -> None:
        wanted, author = self.query.get("search", [""])[0].lower(), self.query.get("author", [""])[0]
        names = [
            n for n in sorted(self.hub.repos) if wanted in n.lower() and (not author or n.startswith(author + "/"))
        ]
        start = int(self.query.get("cursor", ["0"])[0])
        size = min(self.hub.page, int(self.query.get("limit", ["1000"])[0]))
        headers = {}
        if start + size < len(names):
            others = "&".join(f"{k}={quote(v)}" for k, vs in self.query.items() if k != "cursor" for v in vs)
            headers["Link"] = f'<{self.hub.endpoint}/api/models?{others}&cursor={start + size}>; rel="next"'
        self.reply(200, [description(self.hub.repos[n], blobs=False) for n in names[start : start + size]], headers)

    def auth_check(self, repo_id: str) -> None:
        repo = self.find(repo_id, self.route)
        if repo is not None and self.may_read(repo):
            self.reply(200)

    def tree(self, repo_id: str, revision: str, _folder: str | None) -> None:
        repo = self.find(repo_id, self.route)
        if repo is not None and self.known_revision(repo, revision):
            self.reply(
                200,
                [
                    {"type": "file", "path": p, "size": c.length, "oid": oid_of(p)}
                    for p, c in sorted(repo.files.items())
                ],
            )

    def resolve(self, repo_id: str, revision: str, path: str) -> None:
        repo = self.find(repo_id, self.route)
        if repo is None or not self.known_revision(repo, revision) or not self.may_read(repo):
            return
        if path not in repo.files:
            self.reply(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repo.sha})
            return
        content = repo.files[path]
        headers = {"X-Repo-Commit": repo.sha, "ETag": f'"{oid_of(path)}"'}
        if content.length <= LARGE and not path.endswith(LARGE_SUFFIXES):
            self.serve(content, headers)
            return
        owner, _, name = repo_id.rpartition("/")
        headers |= {
            "X-Linked-Size": str(content.length),
            "X-Linked-ETag": f'"{oid_of(path)}"',
            "Location": f"{self.hub.cdn}/{owner or '_'}/{name}/{quote(path)}?signature=valid",
        }
        self.reply(302, b"Found. Redirecting to the storage", headers)


_ID = r"([^/]+/[^/]+|[^/]+)"
_ROUTES: tuple[tuple[tuple[str, ...], str, Callable[..., None]], ...] = (
    (("GET",), r"/api/whoami-v2", _HubHandler.whoami),
    (("POST",), r"/api/repos/create", _HubHandler.create),
    (("POST",), r"/api/validate-yaml", _HubHandler.validate_yaml),
    (("GET",), r"/api/models", _HubHandler.models),
    (("GET",), rf"/api/models/{_ID}/auth-check", _HubHandler.auth_check),
    (("GET",), rf"/api/models/{_ID}/tree/([^/]+)(?:/(.*))?", _HubHandler.tree),
    (("POST",), rf"/api/models/{_ID}/preupload/([^/]+)", _HubHandler.preupload),
    (("POST",), rf"/api/models/{_ID}/commit/([^/]+)", _HubHandler.commit),
    (("POST",), rf"/{_ID}\.git/info/lfs/objects/batch", _HubHandler.lfs_batch),
    (("GET",), rf"/api/models/{_ID}(?:/revision/([^/]+))", _HubHandler.model),
    (("GET",), rf"/api/models/{_ID}()", lambda handler, name, _: handler.model(name, None)),
    (("GET", "HEAD"), rf"/{_ID}/resolve/([^/]+)/(.+)", _HubHandler.resolve),
)


def main() -> None:
    """Serves a folder of packages until it is interrupted."""
    parser = argparse.ArgumentParser(description="Serve a folder of packages OWNER--REPO as a hub on 127.0.0.1.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default="")
    options = parser.parse_args()
    with HubServer(options.port) as server:
        if options.token:
            server.users[options.token] = "tester"
        for folder in sorted(options.folder.iterdir()):
            if folder.is_dir() and "--" in folder.name:
                server.add_folder(folder)
        print(f"HF_ENDPOINT={server.endpoint}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
