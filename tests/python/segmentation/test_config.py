"""The TOML file: defaults, dates, overrides."""

from __future__ import annotations

from pathlib import Path

import pytest
from coterie.segmentation.config import load
from coterie.segmentation.errors import InputError, nearest

SHORTEST = """\
[source.orders]
path = "orders.csv"
map = { customer_id = "id", ts = "day", order_id = "nr", value = "sum" }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "my_shop.toml"
    path.write_text(text)
    return path


def test_a_short_file_gets_defaults(tmp_path: Path) -> None:
    config = load(write(tmp_path, SHORTEST))
    assert config.title == "My shop"
    assert config.features.use == ("recency", "frequency", "monetary")
    assert config.features.log == ()
    assert config.features.as_of is None
    assert config.segment.k is None
    assert config.segment.k_range == (3, 8)
    assert config.segment.min_stability == 0.9
    assert config.output == tmp_path / "out"
    assert not config.simulated


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"2011-12-10"', "2011-12-10"),
        ("2011-12-10", "2011-12-10"),
        ("2011-12-10T08:30:00", "2011-12-10 08:30:00"),
        ('"2011-12-10T08:30:00+02:00"', "2011-12-10 06:30:00"),
    ],
)
def test_as_of_is_a_day_or_a_moment_in_utc(written: str, read: str, tmp_path: Path) -> None:
    config = load(write(tmp_path, f"{SHORTEST}\n[features]\nas_of = {written}\n"))
    assert config.features.as_of == read


def test_overrides_take_toml_values_and_bare_words(tmp_path: Path) -> None:
    path = write(tmp_path, SHORTEST)
    config = load(path, settings=["segment.k_range=[2, 6]", "output.folder=a b", "segment.seed=7"])
    assert config.segment.k_range == (2, 6)
    assert config.segment.seed == 7
    assert config.output == tmp_path / "a b"
    assert config.raw["segment"] == {"k_range": [2, 6], "seed": 7}


def test_the_nearest_name_is_offered_and_otherwise_all() -> None:
    assert nearest("custmer", ["customer", "order"]) == "; did you mean 'customer'?"
    assert nearest("x", ["customer", "order"]) == "; known: customer, order"


def test_log_is_only_for_features_in_use(tmp_path: Path) -> None:
    path = write(tmp_path, f'{SHORTEST}\n[features]\nuse = ["recency"]\nlog = ["monetary"]\n')
    with pytest.raises(InputError, match=r"features\.log: unknown 'monetary'; known: recency"):
        load(path)
