"""Pulled snapshots: what they hold is what the hub has, whatever happened on the way."""

from __future__ import annotations

import json
import time

import pytest
from hub_files import Quota, Sparse, safetensors_file

from clustering.readers.select import read_weights
from corpora.errors import DamagedFileError, InvalidTargetError, NotFoundError, UnavailableError, UnwritableError
from corpora.package import Package
from corpora.sources import pull as pulling
from corpora.sources.hub_http import HubClient
from corpora.sources.hub_pace import Pace
from corpora.sources.hub_patience import Patience
from corpora.sources.hub_query import Query
from corpora.sources.interface import SkippedPackage
from corpora.sources.pull import PullOptions, pull
from corpora.sources.pull_state import PullState
from corpora.sources.rows import parse_line
from corpora.sources.snapshots import open_snapshot

TENSORS = {"bert.embeddings.word_embeddings.weight": ("F32", (100, 16)), "bert.pooler.dense.bias": ("F32", (16,))}
COUNT = 9
ACME = Query(author="acme")


@pytest.fixture
def hub(hub):
    hub.page = 4
    for index in range(COUNT):
        hub.add(
            f"acme/bert-{index}",
            {
                "config.json": {"model_type": "bert", "hidden_size": 16 + index},
                "README.md": f"---\nlicense: mit\n---\n# Number {index}\n",
                "model.safetensors": safetensors_file(TENSORS),
                "tokenizer.json": Sparse(b"{}", 1 << 22),
            },
            info={"downloads": index, "tags": ["pytorch"], "cardData": {"license": "mit"}},
        )
    return hub


@pytest.fixture
def run(hub, tmp_path):
    """Pulls into `tmp_path/NAME`; waiting is noted instead of done."""
    slept: list[float] = []

    def make(name="out.jsonl", query=ACME, *, restart=False, listener=None, **options):
        client = HubClient(hub.endpoint, False, Patience(timeout=5, attempts=2), slept.append, Pace(slept.append))
        return pull(PullOptions(query, **options), tmp_path / name, client, restart=restart, listener=listener)

    make.slept = slept
    return make


def items(path):
    return list(open_snapshot(path).packages())


def test_packages_are_those_of_the_hub(run, hub, opened, tmp_path):
    result = run()
    assert (result.lines, result.skipped, result.resumed) == (COUNT, {}, 0)
    packages = items(tmp_path / "out.jsonl")
    assert len(packages) == COUNT
    for package in packages:
        live = opened(package.name)
        for field in ("source", "location", "owner", "repo", "name_basis", "revision", "metadata", "skipped", "notes"):
            assert getattr(package, field) == getattr(live, field), field
        assert dict(package.files.sizes()) == dict(live.files.sizes())
        assert package.config() == live.config()
        assert package.card() == live.card()
        assert read_weights(package.files).listing == read_weights(live.files).listing
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["out.jsonl"]


def test_no_weights_are_moved(run, hub, tmp_path):
    hub.add(
        "acme/large", {"config.json": "{}", "model.safetensors": safetensors_file({"w": ("F32", (1 << 20, 1 << 10))})}
    )
    run()
    assert hub.sent < 2 << 20
    assert (tmp_path / "out.jsonl").stat().st_size < 100_000
    assert not hub.requests("tokenizer.json")


def test_in_the_order_of_the_list_whatever_overtakes(run, hub, tmp_path):
    hub.fault("bert-0$", "slow", seconds=0.3)
    run(jobs=8)
    assert [package.name for package in items(tmp_path / "out.jsonl")] == [f"acme/bert-{n}" for n in range(COUNT)]


@pytest.mark.parametrize("jobs", [1, 16])
def test_jobs_change_no_byte(run, tmp_path, jobs):
    run()
    run("other.jsonl", jobs=jobs)
    assert (tmp_path / "other.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


@pytest.mark.parametrize("limit", [1, 4, 5, 100])
def test_limit(run, hub, tmp_path, limit):
    run(limit=limit)
    assert len(items(tmp_path / "out.jsonl")) == min(limit, COUNT)
    assert len(hub.requests("/api/models$")) == min(-(-limit // 4), 3), "no page too many"


def test_packages_that_cannot_be_read_are_lines_with_reasons(run, hub, tmp_path):
    hub.add("acme/gated", {"config.json": "{}"}, gated="auto")
    hub.add("acme/empty", {})
    hub.add("acme/gone", {"config.json": "{}"})
    hub.fault("models/acme/gone$", "status", status=404, times=None)
    hub.fault("models/acme/bert-3$", "status", status=403, headers={"X-Error-Message": "disabled"}, times=None)
    result = run()
    found = {
        item.reason.split(":")[0]: item.reason
        for item in items(tmp_path / "out.jsonl")
        if isinstance(item, SkippedPackage)
    }
    assert sorted(found) == ["acme/bert-3", "acme/empty", "acme/gated", "acme/gone"]
    assert "gated; ask for access" in found["acme/gated"]
    assert "not on the hub, or private" in found["acme/gone"]
    assert "disabled" in found["acme/bert-3"]
    assert result.lines == COUNT + 3
    assert sum(result.skipped.values()) == 4


def test_too_many_requests_are_waited_for(run, hub):
    hub.fault("bert-2$", "status", status=429, headers={"Retry-After": "9"}, times=1)
    assert run(jobs=1).skipped == {}
    assert 9.0 in [round(seconds) for seconds in run.slept]


def test_a_package_that_fails_is_tried_again_and_left_out_in_the_end(run, hub, tmp_path):
    fault = hub.fault("bert-4/resolve/.*/config.json$", "status", status=503, times=2)  # a whole attempt
    run()
    assert fault.times == 0
    whole = (tmp_path / "out.jsonl").read_bytes()
    hub.fault("bert-4$", "status", status=503, times=None)
    result = run("without.jsonl")
    assert list(result.skipped.values()) == [1]
    lines = (tmp_path / "without.jsonl").read_bytes().splitlines()
    assert isinstance(parse_line(lines[4], "x"), SkippedPackage)
    assert lines[:4] + lines[5:] == whole.splitlines()[:4] + whole.splitlines()[5:]


def test_an_outage_stops_the_pull_and_costs_nobody_a_try(run, hub, tmp_path, monkeypatch):
    run("whole.jsonl")
    monkeypatch.setattr(pulling, "_IN_A_ROW", 3)
    fault = hub.fault("models/acme/bert-[3-9]$", "status", status=503, times=None)
    for _ in range(4):  # more outages than a package has tries
        with pytest.raises(UnavailableError, match="3 packages failed in a row"):
            run(jobs=1)
        assert not (tmp_path / "out.jsonl").exists()
    hub.faults.remove(fault)
    result = run(jobs=1)
    assert result.skipped == {}
    assert result.resumed >= 3
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


class Killed(BaseException):
    """Ends a pull at once."""


class Dying:
    """Ends a pull after so many packages."""

    def __init__(self, left: int) -> None:
        self.left = left

    def begin(self, total: int, done: int) -> None:
        pass

    def advance(self, entries: int) -> None:
        self.left -= entries
        if self.left <= 0:
            raise Killed


def test_stopped_pulls_go_on_and_ask_for_nothing_twice(run, hub, tmp_path):
    run("whole.jsonl", jobs=1)
    hub.log.clear()
    done = 0
    for count in (1, 3, 2):
        with pytest.raises(Killed):
            run(jobs=1, listener=Dying(count))
        done += count
        assert not (tmp_path / "out.jsonl").exists()
    assert run(jobs=1).resumed == done
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert len(hub.requests("/api/models$")) == 3
    asked = [entry.path for entry in hub.requests("/api/models/acme")]
    assert len(asked) <= COUNT + 3, "a package that was under way is asked for again, no other"


def test_stopped_in_the_list(run, hub, tmp_path):
    run("whole.jsonl")
    hub.fault("/api/models$", "status", status=500, times=None)
    fault = hub.faults[-1]
    fault.times = 0
    original = PullState.add_page
    pages = []

    def add(self, *args):
        pages.append(original(self, *args))
        if len(pages) == 2:
            raise Killed
        return pages[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PullState, "add_page", add)
        with pytest.raises(Killed):
            run()
    hub.log.clear()
    run()
    assert len(hub.requests("/api/models$")) == 1
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_stopped_after_the_file_was_written(run, tmp_path, monkeypatch):
    run("whole.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(PullState, "remove", lambda self: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            run()
    assert (tmp_path / "out.jsonl").exists()
    assert run().lines == COUNT
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not PullState.folder_of(tmp_path / "out.jsonl").exists()


def test_models_that_the_list_names_twice(run, hub, tmp_path):
    page = json.dumps([{"id": "acme/bert-1"}, {"id": "acme/bert-1"}, {"id": "acme/bert-0"}]).encode()
    hub.fault("/api/models$", "body", body=page)
    assert run().lines == 2


def test_a_hub_that_lists_nonsense(run, hub, tmp_path):
    page = b'[{"id": "acme/bert-1"}, 7, {"id": "../../etc"}, {"id": 3}, null, {"id": "acme/bert-1\\ud800"}, 7]'
    hub.fault("/api/models$", "body", body=page)
    run()
    kinds = [type(item) for item in items(tmp_path / "out.jsonl")]
    assert kinds.count(Package) == 1
    assert len(kinds) == 7


def test_nonsense_on_every_page_is_counted_each_time(run, hub, tmp_path):
    following = {"Link": f'<{hub.endpoint}/api/models?cursor=4>; rel="next"'}
    original = HubClient.get_json
    pages = [
        ([7, {"id": "acme/bert-0"}], {k.lower(): v for k, v in following.items()}),
        ([7, {"id": "acme/bert-1"}], {}),
    ]

    def listed(self, what, url, limit):
        return pages.pop(0) if what == "the list of models" else original(self, what, url, limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HubClient, "get_json", listed)
        assert run().lines == 4


def test_metadata_only(run, hub, tmp_path):
    result = run(metadata_only=True)
    assert result.lines == COUNT
    assert {entry.path for entry in hub.log} == {"/api/models"}
    packages = items(tmp_path / "out.jsonl")
    assert [package.metadata.downloads for package in packages] == list(range(COUNT))
    assert {package.source for package in packages} == {"snapshot"}


def test_another_pull_is_refused_until_restart(run, tmp_path):
    with pytest.raises(Killed):
        run(jobs=1, listener=Dying(2))
    with pytest.raises(InvalidTargetError, match="unfinished other pull"):
        run(limit=3)
    assert run(limit=3, restart=True).lines == 3
    with pytest.raises(InvalidTargetError, match="is there already"):
        run()
    assert run(restart=True).lines == COUNT


def test_one_pull_at_a_time(run, tmp_path):
    state = PullState(tmp_path / "out.jsonl")
    with pytest.raises(UnwritableError, match="another pull"):
        run()
    state.close()


def test_a_damaged_state_is_one_clear_error(run, tmp_path):
    folder = PullState.folder_of(tmp_path / "out.jsonl")
    folder.mkdir()
    (folder / "state.sqlite").write_bytes(b"no database" * 500)
    with pytest.raises(DamagedFileError, match="--restart"):
        run()
    assert run(restart=True).lines == COUNT


def test_nothing_listed(run, tmp_path):
    with pytest.raises(NotFoundError, match="lists no model"):
        run(query=Query(author="nobody"))
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("jobs", [0, 17])
def test_jobs_are_bounded(run, jobs):
    with pytest.raises(InvalidTargetError, match="jobs"):
        run(jobs=jobs)


def test_no_such_folder(run, tmp_path):
    with pytest.raises(InvalidTargetError, match="folder"):
        run("missing/out.jsonl")


@pytest.mark.parametrize(
    "change",
    [
        {"dara_pull": None},
        {"dara_pull": {"version": 2}},
        {"dara_pull": {"version": 1}},
        {"dara_pull": {"version": 1, "endpoint": 3}},
        {"dara_pull": {"version": 1, "endpoint": "h" * 9_999}},
        {"siblings": None},
        {"id": None},
        {"id": "../x"},
        {"dara_pull": {"version": 1, "skipped": "\x1b[31m" * 99}},
    ],
)
def test_rows_that_strangers_wrote(run, tmp_path, change):
    run(limit=1)
    row = {**json.loads((tmp_path / "out.jsonl").read_text()), **change}
    item = parse_line(json.dumps(row).encode(), "x:1")
    assert isinstance(item, SkippedPackage)
    assert "\x1b" not in item.reason


def test_the_limit_that_a_hub_tells_is_never_exceeded(hub, tmp_path):
    hub.quota = Quota(5, 1)
    client = HubClient(hub.endpoint, False, Patience(timeout=5), None, Pace())
    assert pull(PullOptions(ACME, jobs=4), tmp_path / "out.jsonl", client).skipped == {}
    assert hub.quota.refused == 0
    assert len(hub.requests("/api/")) == COUNT + 3


def test_a_client_that_does_not_listen_is_refused(hub, tmp_path):
    """What the test above would miss if the test hub did not count."""
    hub.quota = Quota(5, 1)
    slept: list[float] = []
    client = HubClient(
        hub.endpoint, False, Patience(timeout=5), lambda seconds: (slept.append(seconds), time.sleep(seconds))[0]
    )
    assert pull(PullOptions(ACME, jobs=4), tmp_path / "out.jsonl", client).skipped == {}
    assert hub.quota.refused > 0
    assert slept


@pytest.mark.parametrize("kind", ["truncate", "reset", "wrong-range", "ignore-range", "slow"])
def test_faults_on_the_way_change_no_byte(run, hub, tmp_path, kind):
    run("whole.jsonl")
    hub.fault("resolve/.*/(README.md|config.json)$", kind, times=3)
    hub.fault("model.safetensors$", kind, side="cdn", times=3)
    assert run(jobs=1).skipped == {}
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_full_disk_keeps_what_is_done(run, tmp_path, monkeypatch):
    run("whole.jsonl")
    original = PullState.put
    puts = []

    def put(self, *args):
        puts.append(args)
        if len(puts) == 4:
            self._connection.execute("PRAGMA max_page_count = 1")  # no page more than there are
            args = (args[0], "x".join(map(str, range(200_000))), None)
        original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(PullState, "put", put)
        with pytest.raises(UnwritableError, match=r"full.*run the same command to go on"):
            run(jobs=1)
    assert not (tmp_path / "out.jsonl").exists()
    assert run(jobs=1).resumed == 3
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_file_that_cannot_be_written_in_the_end(run, tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("corpora.sources.pull_state.os.fsync", refuse)
        with pytest.raises(UnwritableError, match="no space left"):
            run()
    assert not (tmp_path / "out.jsonl").exists()
    assert run().resumed == COUNT
