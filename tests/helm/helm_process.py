"""Helm in a process of its own: one line of JSON in, one out.

HELM_DRIVER=memory has to be in its environment from the start, as Helm's Go code reads it once.
"""

import asyncio
import json
import sys
from typing import Any

import helm_sdkpy

from tests.helm.kube_api import KubeApi

NAMESPACE, RELEASE, PATIENCE_S = "exmc", "rel", 20


async def act(config: helm_sdkpy.Configuration, chart: str, step: list[Any]) -> dict[str, Any]:
    """Take one step of a release and return what came of it."""
    name, *arguments = step
    try:
        if name == "lint":
            return dict(await helm_sdkpy.Lint(config).run(chart))
        if name == "rollback":
            return dict(await helm_sdkpy.Rollback(config).run(RELEASE, *arguments))
        if name == "uninstall":
            return dict(await helm_sdkpy.Uninstall(config).run(RELEASE, False, PATIENCE_S))
        action = {"install": helm_sdkpy.Install, "upgrade": helm_sdkpy.Upgrade}[name]
        done = await action(config).run(RELEASE, chart, *arguments, wait=False, timeout=PATIENCE_S)
        return dict(done)
    except helm_sdkpy.HelmError as error:
        return {"error": str(error)}


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        api = KubeApi(asked["version"], asked["extensions"], asked["objects"])
        config = helm_sdkpy.Configuration(namespace=NAMESPACE, kubeconfig=api.kubeconfig)
        outcomes = [asyncio.run(act(config, asked["chart"], step)) for step in asked["steps"]]
        print(json.dumps({"outcomes": outcomes, "objects": api.objects}), flush=True)


if __name__ == "__main__":
    main()
