"""What the test hub does when something is uploaded: it stores it and everything is in its log."""

from __future__ import annotations

import base64
import json
from typing import Any

from hub_files import LARGE_SUFFIXES, Memory


class Uploads:
    """Requests that create repositories and commits. Mixed into the hub's handler."""

    hub: Any
    body: bytes
    token: str | None
    route: str

    def reply(self, status: int, body: Any = b"", headers: Any = None) -> None:
        raise NotImplementedError

    def find(self, repo_id: str, path: str) -> Any:
        raise NotImplementedError

    def whoami(self) -> None:
        user = self.hub.users.get(self.token or "")
        if user is None:
            self.reply(401, {"error": "Invalid username or password."})
        else:
            self.reply(200, {"type": "user", "name": user, "orgs": [], "auth": {"accessToken": {"role": "write"}}})

    def create(self) -> None:
        data = json.loads(self.body)
        user = self.hub.users.get(self.token or "")
        if user is None:
            self.reply(401, {"error": "Invalid username or password."})
            return
        name = f"{data.get('organization') or user}/{data['name']}"
        if name in self.hub.repos:
            self.reply(409, {"error": "You already created this model repo", "url": f"{self.hub.endpoint}/{name}"})
            return
        self.hub.add(name, {})
        self.reply(200, {"url": f"{self.hub.endpoint}/{name}", "name": name})

    def validate_yaml(self) -> None:
        self.reply(200, {"errors": [], "warnings": []})

    def preupload(self, repo_id: str, _revision: str) -> None:
        if self.find(repo_id, self.route) is not None:
            files = json.loads(self.body)["files"]
            mode = {f["path"]: "lfs" if f["path"].endswith(LARGE_SUFFIXES) else "regular" for f in files}
            self.reply(
                200,
                {"files": [{"path": p, "uploadMode": m, "shouldIgnore": False, "oid": None} for p, m in mode.items()]},
            )

    def lfs_batch(self, repo_id: str) -> None:
        if self.find(repo_id, self.route) is not None:
            objects = [
                {**o, "actions": {"upload": {"href": f"{self.hub.cdn}/upload/{o['oid']}", "header": {}}}}
                for o in json.loads(self.body)["objects"]
            ]
            self.reply(200, {"transfer": "basic", "objects": objects})

    def commit(self, repo_id: str, _revision: str) -> None:
        repo = self.find(repo_id, self.route)
        if repo is None:
            return
        lines = [json.loads(line) for line in self.body.splitlines() if line]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                repo.files[value["path"]] = Memory(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                repo.files[value["path"]] = Memory(self.hub.lfs.get(value["oid"], b""))
            elif line["key"] == "deletedFile":
                repo.files.pop(value["path"], None)
        repo.commits.append({"lines": [line["key"] for line in lines]})
        url = f"{self.hub.endpoint}/{repo_id}/commit/{repo.sha}"
        self.reply(200, {"success": True, "commitOid": repo.sha, "commitUrl": url, "hookOutput": ""})
