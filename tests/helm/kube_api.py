"""A Kubernetes API on the loopback, as far as Helm asks: what it is, and objects by their paths.

It stores what it is sent and checks nothing; schemas are checked where the tests read it back.
"""

import json
import re
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

CORE = "v1"
KINDS = {
    CORE: ("ConfigMap", "PersistentVolumeClaim", "Pod", "Secret", "Service", "ServiceAccount"),
    "apps/v1": ("Deployment", "ReplicaSet"),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "batch/v1": ("Job",),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
    "policy/v1": ("PodDisruptionBudget",),
}
EXTENSIONS = {
    "cert-manager.io/v1": ("Certificate",),
    "kubernetes.dask.org/v1": ("DaskCluster",),
    "monitoring.coreos.com/v1": ("PodMonitor", "ServiceMonitor"),
}
"""What a cluster may have or not."""


class KubeApi:
    """A server that runs until its process ends.

    Parameters
    ----------
    version : str
        Of Kubernetes, as "1.33".
    extensions : sequence of str
        Group versions of EXTENSIONS that it has.
    objects : mapping of path to object
        What is there already.
    """

    def __init__(
        self, version: str, extensions: Sequence[str], objects: dict[str, dict[str, Any]]
    ) -> None:
        self.version = version
        self.kinds = KINDS | {name: EXTENSIONS[name] for name in extensions}
        self.objects = dict(objects)
        self.posted: list[dict[str, Any]] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def kubeconfig(self) -> str:
        """The file that leads a client here, as text."""
        return yaml.safe_dump(  # Helm takes JSON for the name of a file
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "c",
            }
        )

    def discover(self, path: str) -> dict[str, Any] | None:
        """Answer what a client asks of the API itself."""
        if path == "/version":
            major, minor = self.version.split(".")
            return {"major": major, "minor": minor, "gitVersion": f"v{self.version}.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": [CORE]}
        if path == "/apis":
            groups = [
                {"name": name.split("/")[0], "versions": [version], "preferredVersion": version}
                for name in self.kinds
                if name != CORE
                for version in [{"groupVersion": name, "version": name.split("/")[1]}]
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        group = re.fullmatch(r"/api/(v1)|/apis/([^/]+/[^/]+)", path)
        name = group and (group[1] or group[2])
        if name in self.kinds:
            resources = [
                {"name": plural(kind), "singularName": kind.lower(), "kind": kind} | COMMON
                for kind in self.kinds[name]
            ]
            return {"kind": "APIResourceList", "groupVersion": name, "resources": resources}
        return None

    def listed(self, place: str, query: str) -> dict[str, Any] | None:
        """Answer for all objects of a kind, or for that of one name."""
        kinds = {plural(kind): kind for kinds in self.kinds.values() for kind in kinds}
        kind = kinds.get(place.rsplit("/", 1)[-1])
        if kind is None:
            return None
        name = re.search(r"metadata\.name(?:=|%3D)([\w.-]+)", query)
        found = [
            one
            for path, one in self.objects.items()
            if path.rpartition("/")[0] == place and (not name or path.endswith(f"/{name[1]}"))
        ]
        return {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {}, "items": found}


COMMON = {
    "namespaced": True,
    "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
}


def plural(kind: str) -> str:
    """Return the name of a kind in paths."""
    lower = kind.lower()
    return (
        lower[:-1] + "ies" if lower.endswith("y") else lower + ("es" * lower.endswith("ss") or "s")
    )


def merged(old: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396)."""
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    kept = {key: merged(old.get(key), value) for key, value in patch.items() if value is not None}
    return {key: value for key, value in old.items() if key not in patch} | kept


def _handler(api: KubeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def reply(self, code: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def refuse(self, code: int, reason: str) -> None:
            body = {"kind": "Status", "status": "Failure", "reason": reason, "code": code}
            body["message"] = f"{self.path}: {reason}"
            self.reply(code, body)

        @property
        def place(self) -> str:
            return self.path.split("?")[0].rstrip("/")

        def body(self) -> Any:
            return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")

        def do_GET(self) -> None:
            found = (
                api.discover(self.place)
                or api.objects.get(self.place)
                or api.listed(self.place, self.path)
            )
            if found:
                self.reply(200, found)
            else:
                self.refuse(404, "NotFound")

        def do_POST(self) -> None:
            made = self.body()
            path = f"{self.place}/{made['metadata']['name']}"
            if path in api.objects:
                self.refuse(409, "AlreadyExists")
                return
            api.posted.append(made)
            made["metadata"] |= {"uid": path, "resourceVersion": "1"}
            api.objects[path] = made
            self.reply(201, made)

        def do_PATCH(self) -> None:
            api.objects[self.place] = merged(api.objects.get(self.place), self.body())
            self.reply(200, api.objects[self.place])

        def do_PUT(self) -> None:
            api.objects[self.place] = self.body()
            self.reply(200, api.objects[self.place])

        def do_DELETE(self) -> None:
            self.body()
            if api.objects.pop(self.place, None):
                self.reply(200, {"kind": "Status", "status": "Success"})
            else:
                self.refuse(404, "NotFound")

    return Handler
