"""Settings are complete, checked, and travel."""

import json
import pickle
from typing import Any

import pytest

from exmc_dask.errors import OptionError
from exmc_dask.sampler.settings import Settings

IMPOSSIBLE = [
    ("seed", -1),
    ("seed", 2**63),
    ("seed", 1.0),
    ("seed", None),
    ("draws", 0),
    ("draws", True),
    ("tune", -1),
    ("target_accept", 0.0),
    ("target_accept", 1.0),
    ("target_accept", float("nan")),
    ("target_accept", "0.8"),
    ("max_treedepth", 0),
    ("max_treedepth", 21),
    ("adapt", "nutpie"),
    ("metric", "full"),
    ("step_size_jitter", 1.0),
    ("step_size_jitter", -0.1),
    ("init_jitter", -1.0),
    ("init_jitter", float("inf")),
    ("store_unconstrained", 1),
    ("thin", 0),
]


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_an_impossible_value_is_named(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{name}=.* has to be ") as caught:
        Settings(**{"seed": 1, name: value})
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_settings_survive_json() -> None:
    settings = Settings(seed=2**63 - 1, adapt="stan", metric="dense", thin=3, step_size_jitter=0.2)
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(OptionError, match=r"'chians'; there are seed, draws"):
        Settings.from_dict({"seed": 1, "chians": 4})


@pytest.mark.parametrize(
    ("options", "jitter"),
    [
        ({}, 0.1),
        ({"adapt": "stan"}, 0.0),
        ({"adapt": "stan", "step_size_jitter": 0.3}, 0.3),
        ({"step_size_jitter": 0.0}, 0.0),
    ],
)
def test_the_scheme_decides_on_jitter_unless_told(options: dict[str, Any], jitter: float) -> None:
    assert Settings(seed=1, **options).jitter == jitter
