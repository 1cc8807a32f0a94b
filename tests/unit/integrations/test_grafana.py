"""The Grafana dashboard among the docs has the form that Grafana imports, and asks for metrics that there are."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from aiocache_kit.integrations.prometheus import PrometheusMetrics

BOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "docs" / "grafana" / "aiocache_kit.json").read_text("utf-8")
)
PANELS: list[dict[str, Any]] = BOARD["panels"]
DRAWN = [panel for panel in PANELS if panel["type"] != "row"]
VARIABLES: list[dict[str, Any]] = BOARD["templating"]["list"]
BUILT_IN = {"__rate_interval"}
LABELS = {"job", "instance", "cache", "namespace", "layer", "group", "outcome", "le"}


def questions() -> Iterator[str]:
    """Give every expression of the dashboard."""
    for panel in DRAWN:
        yield from (target["expr"] for target in panel["targets"])


def exported() -> dict[str, str]:
    """Give the names of all series that the collector exports, with the kinds of their metrics."""
    series: dict[str, str] = {}
    for family in PrometheusMetrics(group_sample=1).describe():
        endings = {
            "counter": ("_total",),
            "gauge": ("",),
            "histogram": ("_bucket", "_sum", "_count"),
            "summary": ("_sum", "_count"),
        }[family.type]
        series |= {family.name + ending: family.type for ending in endings}
    return series


def test_it_has_the_form_of_a_dashboard() -> None:
    """What Grafana needs to import a dashboard is there, and nothing of one installation is."""
    assert BOARD["id"] is None
    assert BOARD["schemaVersion"] >= 36
    assert {"uid", "title", "tags", "time", "refresh", "panels", "templating", "annotations"} <= set(BOARD)
    assert {panel["type"] for panel in PANELS} <= {"row", "stat", "timeseries", "state-timeline"}
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in DRAWN:
        assert {"title", "datasource", "gridPos", "fieldConfig", "options", "targets"} <= set(panel)
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_panels_lie_beside_one_another() -> None:
    """No panel leaves the grid of 24 columns or lies on another one."""
    places = [panel["gridPos"] for panel in PANELS]
    for place in places:
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


def test_data_comes_from_the_source_that_is_chosen() -> None:
    """Every panel, question and variable names the variable for the source, and no source of somebody's own."""
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    asked = [*DRAWN, *(target for panel in DRAWN for target in panel["targets"])]
    asked += [variable for variable in VARIABLES if variable["type"] == "query"]

    assert [each["datasource"] for each in asked] == [chosen] * len(asked)
    assert VARIABLES[0]["name"] == "datasource"


def test_variables_are_defined() -> None:
    """What a question leaves open is a variable of the dashboard or one of Grafana's own."""
    defined = {variable["name"] for variable in VARIABLES} | BUILT_IN
    texts = [*questions(), *(variable["query"]["query"] for variable in VARIABLES if variable["type"] == "query")]

    assert {name for text in texts for name in re.findall(r"\$\{?(\w+)", text)} <= defined


def test_metrics_are_those_that_are_exported() -> None:
    """Every metric that is asked for is exported, and every one that is exported is asked for."""
    texts = [*questions(), *(variable["query"]["query"] for variable in VARIABLES if variable["type"] == "query")]
    asked = {name for text in texts for name in re.findall(r"aiocache_kit_\w+", text)}
    series = exported()

    assert asked - set(series) == set()
    assert {name for name in series if name not in asked} <= {
        "aiocache_kit_load_duration_seconds_sum",
        "aiocache_kit_load_duration_seconds_count",
    }


@pytest.mark.parametrize("question", sorted(set(questions())))
def test_questions_fit_their_metrics(question: str) -> None:
    """What only grows is asked for as a rate, what is a state is not, and labels are those that there are."""
    series = exported()
    for before, name in re.findall(r"(\w*)\s*\(?\s*(aiocache_kit_\w+)\{", question):
        assert (before == "rate") == (series[name] != "gauge")
    groups = [label.strip() for labels in re.findall(r"by \(([^)]*)\)", question) for label in labels.split(",")]
    chosen = [label for labels in re.findall(r"\{([^}]*)\}", question) for label in re.findall(r"(\w+)(?==|!)", labels)]

    assert set(groups) | set(chosen) <= LABELS
    assert question.count("(") == question.count(")")
    assert {"job", "instance", "cache", "namespace"} <= set(chosen)
