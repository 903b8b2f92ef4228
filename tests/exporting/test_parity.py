"""What every exported file is compared with: forecasts of Keras from the whole past, in any order of reading."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import ExportError
from pipeline.config.schema import (
    HeadName,
    Horizons,
    LagsAs,
    Normalise,
    Order,
    Protocol,
    Scaler,
    TrainingConfig,
    Transform,
)
from pipeline.exporting.export import export_model
from pipeline.exporting.formats import Format
from pipeline.exporting.layout import lay_out
from pipeline.exporting.parity import LIMIT
from pipeline.exporting.reference import make_reference
from pipeline.serving.model import ServedModel

MakeServed = Callable[..., ServedModel]
STATEFUL, ALL = {"stateful": True}, {"horizons": Horizons.all}
SEASONAL = {"transforms": [Transform.seasonal_difference, Transform.difference]}
FAST: dict[str, dict[str, Any]] = {
    "panel, carried state": STATEFUL | {"lanes": ["x", "y", "z", "u", "v"], "dataset": SEASONAL},
}
MORE: dict[str, dict[str, Any]] = {
    "carried, as the tutorial": STATEFUL
    | {"protocol": Protocol.tutorial, "rows": 60, "training": TrainingConfig(patience=None)},
    "overlapping": STATEFUL | {"dataset": {"order": Order.overlapping}},
    "carried, lags as features": STATEFUL | {"dataset": SEASONAL | {"lags_as": LagsAs.features}},
    "quantiles, normalised": {
        "horizon": 2, "model": {"head": HeadName.quantile},
        "dataset": ALL | {"normalise": Normalise.window_standard, "transforms": [Transform.log]},
    },
    "scaler per lane": STATEFUL | {"lanes": ["x", "y"], "dataset": {"scaler_per_lane": True}},
    "no scaler": {"dataset": {"scaler": Scaler.none}},
    "known ahead": {"horizon": 2, "dataset": ALL | {"future": ["b"]}},
}  # fmt: skip
KINDS = FAST | MORE


@pytest.mark.parametrize("kind", [*FAST, *(pytest.param(kind, marks=pytest.mark.thorough) for kind in MORE)])
def test_what_is_right_is_exported(kind: str, make_served: MakeServed, tmp_path: Path) -> None:
    """A model that forecasts what Keras does is refused: it was compared with other rows, or from another state."""
    model = make_served(**KINDS[kind])
    exported = export_model(model, "RUN", [Format.numpy], tmp_path / "out")
    assert exported.compared > 20
    assert all(each.largest_difference <= LIMIT for each in exported.files)


def test_one_wrong_weight_is_found(make_served: MakeServed, tmp_path: Path) -> None:
    """A file that lost or mixed up weights is handed out as a model."""
    model = make_served()
    reference = make_reference(model, lay_out(model))
    model.weights[0][0, 0] += 0.01
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(ExportError, match="of the scaler's unit away from Keras"),
    ):
        patch.setattr("pipeline.exporting.export.make_reference", lambda *_: reference)
        export_model(model, "RUN", [Format.numpy], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_unit_of_a_difference_is_what_the_scaler_makes_one(make_served: MakeServed) -> None:
    """Large errors are called small: they are divided by something else than the docs say."""
    plain = make_served()
    reference = make_reference(plain, lay_out(plain))
    assert np.unique(reference.units).tolist() == [plain.data.scaling.scale[0, 0]]
    logs = make_served(dataset={"transforms": [Transform.log]})
    reference = make_reference(logs, lay_out(logs))
    np.testing.assert_allclose(reference.units, reference.points * logs.data.scaling.scale[0, 0])
