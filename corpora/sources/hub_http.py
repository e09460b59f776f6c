"""Requests to a hub: time-outs, retries, waiting as told, and byte ranges. Nothing is ever written to disk."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

from clustering.text import escape, one_line
from corpora.errors import GatedError, NotFoundError, OfflineError, PackageError, UnavailableError
from corpora.sources.hub_pace import Pace
from corpora.sources.hub_patience import Patience, RetryError, Transfer, retry_after

Result = TypeVar("Result")

RETRY_STATUS: Final = frozenset({408, 429, 500, 502, 503, 504})
IGNORED_RANGE_WASTE: Final = 1 << 20
"""Bytes before the wanted range that are read and thrown away when a server ignores ranges; beyond, it is refused."""

_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_CONNECT_ATTEMPTS: Final = 2
_MAX_REDIRECTS: Final = 10
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SLOWEST: Final = 16 << 10
"""Bytes per second below which a transfer counts as stuck."""


@dataclass(frozen=True, slots=True)
class RangeReply:
    """Bytes of a range."""

    data: bytes
    total: int | None
    """Length of the whole file."""
    url: str
    """Address that served them: a signed one of the storage, when the hub redirected there."""


class ExpiredError(Exception):
    """A signed address is not valid any more."""


def _http() -> Any:
    """The HTTP library of the hub's client (httpx, or its successor in later versions)."""
    import importlib

    from huggingface_hub.errors import HfHubHTTPError

    base = next(cls for cls in HfHubHTTPError.__mro__ if cls.__name__ == "HTTPError")
    return importlib.import_module(base.__module__.split(".")[0])


def _session() -> Any:
    """The session of the hub's client: it knows proxies and certificates, and refuses to work in offline mode."""
    from huggingface_hub import get_session

    return get_session()


class HubClient:
    """Talks to one hub through the session of huggingface_hub, which carries proxies and certificates."""

    def __init__(
        self,
        endpoint: str,
        token: str | bool | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] | None = None,
        pace: Pace | None = None,
    ) -> None:
        from huggingface_hub import constants
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # lazily exported

        self.endpoint = endpoint.rstrip("/")
        self.token = token
        self.patience = patience or Patience(timeout=float(constants.HF_HUB_DOWNLOAD_TIMEOUT))
        self.transfer = Transfer()
        self._sleep = sleep or (pace.sleep if pace else time.sleep)
        self._pace = pace
        self._headers: dict[str, str] = {
            **build_hf_headers(token=token, library_name="dara"),
            "Accept-Encoding": "identity",  # ranges count bytes of the file, not of a compressed copy
        }
        self._http = _http()

    def _begin(self, url: str) -> None:
        """Counts a request, when its turn has come."""
        if self._pace is not None:
            self._pace.enter(url)
        self.transfer.request()

    def _heard(self, url: str, response: Any) -> None:
        """Notes what an answer says about the hub's limits."""
        if self._pace is not None:
            self._pace.leave(url, response.status_code, response.headers)

    def stop(self) -> None:
        """Ends the waiting of all threads that obey a pace; they are refused."""
        if self._pace is not None:
            self._pace.stop()

    def persist(self, what: str, call: Callable[[], Result]) -> Result:
        """Calls again while the failure may go away by itself.

        Args:
            what: what is asked for, for messages.
            call: raises `RetryError`, or an error of the HTTP library, when it fails.

        Raises:
            UnavailableError: when the attempts or the patience are used up.
            PackageError: whatever else `call` raises.
        """
        from huggingface_hub.errors import OfflineModeIsEnabled

        wait = self.patience.first_wait
        attempts = self.patience.attempts
        for attempt in range(1, attempts + 1):
            try:
                return call()
            except RetryError as error:
                reason, after = str(error), error.after
            except OfflineModeIsEnabled as error:
                raise OfflineError(f"{what}: the network is switched off by HF_HUB_OFFLINE; unset it") from error
            except self._http.TimeoutException:
                reason, after = f"no answer within {self.patience.timeout:g} seconds", None
            except self._http.TransportError as error:
                reason, after = one_line(error, 120), None
                if isinstance(error, self._http.ConnectError):  # no network: waiting longer rarely helps
                    attempts = min(attempts, _CONNECT_ATTEMPTS)
            except (self._http.HTTPError, self._http.InvalidURL) as error:
                raise UnavailableError(f"{what}: {one_line(error, 120)}; try again later") from error
            pause = wait if after is None else after
            if pause > self.patience.longest_wait:
                raise UnavailableError(f"{what}: {reason}; the hub asks to wait {pause:.0f} seconds, try again then")
            if attempt >= attempts or self.transfer.wait(pause) > self.patience.total_wait:
                break
            self._sleep(pause)
            wait = min(wait * 2, self.patience.longest_wait)
        raise UnavailableError(f"{what}: {reason}; check the network or try again later")

    def explain(self, what: str, response: Any) -> PackageError | RetryError:
        """The error that a response of status 400 or more stands for."""
        status: int = response.status_code
        code = response.headers.get("x-error-code", "")
        said = escape(response.headers.get("x-error-message", ""), 120)
        if status in RETRY_STATUS:
            reason = "too many requests" if status == 429 else f"the hub answered {status}"
            return RetryError(reason, retry_after(response.headers))
        if code == "GatedRepo":
            return GatedError(f"{what}: gated; ask for access on its page, then run `hf auth login`")
        if code == "RevisionNotFound":
            return NotFoundError(f"{what}: no such revision; check the branch, tag or commit")
        if code == "EntryNotFound":
            return NotFoundError(f"{what}: no such file in this revision")
        if "disabled" in said.lower():
            return GatedError(f"{what}: the hub has disabled access to it")
        if status in {401, 403} and "credentials" in said.lower():
            return GatedError(f"{what}: the hub refuses the access token; run `hf auth login`")
        if status in {401, 404} or code == "RepoNotFound":
            return NotFoundError(f"{what}: not on the hub, or private; check the name, or run `hf auth login`")
        if status == 403:
            return GatedError(f"{what}: the hub refuses access{f' ({said})' if said else ''}; check the token's rights")
        return UnavailableError(f"{what}: the hub answered {status}{f' ({said})' if said else ''}; try again later")

    def get(self, what: str, url: str) -> None:
        """Asks for an address of the hub whose answer is its status.

        Raises:
            PackageError: as `persist`.
        """

        def ask() -> None:
            self._begin(url)
            timeout = self.patience.timeout
            with _session().stream("GET", url, headers=self._headers, timeout=timeout) as response:
                self._heard(url, response)
                if response.status_code >= 400:
                    raise self.explain(what, response)

        self.persist(what, ask)

    def get_json(self, what: str, url: str, limit: int) -> tuple[Any, Mapping[str, str]]:
        """A document of the hub's API with the headers it came with. Redirects are followed on the hub only.

        Raises:
            PackageError: as `persist`; also for a document longer than `limit` bytes or not JSON.
        """
        data, headers = self.persist(what, lambda: self._document(what, url, limit))
        if len(data) > limit:
            raise UnavailableError(f"{what}: the answer is longer than {limit:,} bytes; ask for less at a time")
        try:
            return json.loads(data), headers
        except (ValueError, RecursionError) as error:
            raise UnavailableError(f"{what}: the hub's answer is not JSON; check HF_ENDPOINT") from error

    def _document(self, what: str, url: str, limit: int) -> tuple[bytes, Mapping[str, str]]:
        for _ in range(_MAX_REDIRECTS):
            self._begin(url)
            timeout = self.patience.timeout
            with _session().stream(
                "GET", url, headers=self._headers, timeout=timeout, follow_redirects=False
            ) as response:
                self._heard(url, response)
                if response.status_code in _REDIRECTS:
                    url = self._redirected(what, url, response.headers.get("location", ""))
                    if _origin(url) != _origin(self.endpoint):
                        raise UnavailableError(f"{what}: the hub redirects to another host; check HF_ENDPOINT")
                    continue
                if response.status_code >= 300:
                    raise self.explain(what, response)
                return self._take(response, limit + 1), dict(response.headers)
        raise UnavailableError(f"{what}: more than {_MAX_REDIRECTS} redirects; try again later")

    def read_range(self, what: str, url: str, start: int, length: int) -> RangeReply:
        """Bytes `start` to `start + length` of a file, following redirects; fewer when the file ends before.

        Credentials go to the hub only, never to the storage it redirects to.

        Raises:
            ExpiredError: when a signed address is refused.
            PackageError: as `persist`.
        """
        return self.persist(what, lambda: self._read_once(what, url, start, length))

    def _read_once(self, what: str, url: str, start: int, length: int) -> RangeReply:
        at_home = _origin(url) == _origin(self.endpoint)
        for _ in range(_MAX_REDIRECTS):
            headers = dict(self._headers)
            if not at_home:
                headers.pop("authorization", None)
            headers["Range"] = f"bytes={start}-{start + length - 1}"
            self._begin(url)
            timeout = self.patience.timeout
            with _session().stream("GET", url, headers=headers, timeout=timeout, follow_redirects=False) as response:
                self._heard(url, response)
                if response.status_code in _REDIRECTS:
                    url = self._redirected(what, url, response.headers.get("location", ""))
                    at_home = at_home and _origin(url) == _origin(self.endpoint)
                    continue
                if response.status_code in {401, 403, 404, 410} and not at_home:
                    raise ExpiredError
                if response.status_code == 416:
                    return RangeReply(b"", _total_of(response.headers.get("content-range", "")), url)
                if response.status_code not in {200, 206}:
                    raise self.explain(what, response)
                return self._body(what, url, response, start, length)
        raise UnavailableError(f"{what}: more than {_MAX_REDIRECTS} redirects; try again later")

    def _redirected(self, what: str, url: str, location: str) -> str:
        before = urlsplit(url).scheme
        try:
            target = urljoin(url, location)
            scheme, host, _ = _origin(target)
        except ValueError:
            target, scheme, host = "", "", ""
        if not location or not host or scheme not in {"http", "https"} or (before == "https" and scheme == "http"):
            raise UnavailableError(f"{what}: the hub redirects to an unsafe address; check HF_ENDPOINT")
        return target

    def _body(self, what: str, url: str, response: Any, start: int, length: int) -> RangeReply:
        """Reads a successful answer, never more than asked for."""
        packed = response.headers.get("content-encoding", "identity") not in {"identity", ""}
        drop, expected, total = 0, length, None
        if packed and response.status_code == 206:
            raise UnavailableError(f"{what}: the hub compresses ranges although it was asked not to; not read")
        if response.status_code == 206:
            match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
            first, last = (int(match.group(1)), int(match.group(2))) if match else (-1, -1)
            if match is None or first != start or not first <= last < start + length:
                raise RetryError("the hub answered with another range than asked for")
            total = int(match.group(3)) if match.group(3) != "*" else None
            expected = last - first + 1
        else:
            declared = "" if packed else response.headers.get("content-length", "")
            total = int(declared) if declared.isdigit() and len(declared) < 20 else None
            if start > IGNORED_RANGE_WASTE:
                raise UnavailableError(
                    f"{what}: the hub does not serve ranges of large files; download the package first"
                )
            drop = start
            if total is not None:
                expected = max(0, min(length, total - start))
        data = self._take(response, drop + expected)[drop:]
        if len(data) < expected and (response.status_code == 206 or total is not None):
            raise RetryError(f"the answer ended after {len(data):,} of {expected:,} bytes")
        return RangeReply(data, total, url)

    def _take(self, response: Any, wanted: int) -> bytes:
        """The first bytes of a body; gives up on one that trickles."""
        chunks: list[bytes] = []
        got = 0
        deadline = time.monotonic() + self.patience.timeout * 2 + wanted / _SLOWEST
        if wanted:
            packed = response.headers.get("content-encoding", "identity") not in {"identity", ""}
            for chunk in response.iter_bytes() if packed else response.iter_raw():
                self.transfer.count(len(chunk))
                chunks.append(chunk)
                got += len(chunk)
                if got >= wanted:
                    break
                if time.monotonic() > deadline:
                    raise RetryError(f"only {got:,} of {wanted:,} bytes came in time")
        return b"".join(chunks)[:wanted]


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def _total_of(content_range: str) -> int | None:
    match = re.fullmatch(r"bytes \*/(\d{1,19})", content_range.strip())
    return int(match.group(1)) if match else None
