"""Predictions as the table "observations" of Camtrap DP 1.0, the exchange format of camera traps (camtrap-dp.tdwg.org).

Of its columns only what is known here is filled in; where and when a camera stood is for whoever has the deployments.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime
from typing import Any

import pyarrow as pa

from engine.wording import spreadsheet_text

COLUMNS = (  # of observations.csv, in the order of its table schema in version 1.0
    *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel"),
    *("observationType", "cameraSetupType", "scientificName", "count", "lifeStage", "sex", "behavior"),
    *("individualID", "individualPositionRadius", "individualPositionAngle", "individualSpeed"),
    *("bboxX", "bboxY", "bboxWidth", "bboxHeight", "classificationMethod", "classifiedBy"),
    *("classificationTimestamp", "classificationProbability", "observationTags", "observationComments"),
)
_TYPES = {  # of classes that are no animals; everything else is taken for one
    **dict.fromkeys(("blank", "empty", "nothing", "none", "background", "no animal"), "blank"),
    **dict.fromkeys(("human", "person", "people", "man", "woman", "hiker"), "human"),
    **dict.fromkeys(("vehicle", "car", "truck", "bicycle", "motorcycle"), "vehicle"),
}
_SCIENTIFIC = re.compile(r"[A-Z][a-z-]+ [a-z-]{2,}( [a-z-]{2,})?")  # genus and species, and perhaps subspecies


def camtrap_observations(rows: pa.Table, run: str, when: datetime) -> bytes:
    """observations.csv of predictions, UTF-8: a row for each image that could be read.

    rows: of `prediction_rows.SCHEMA`. An unsure image is of the type "unknown", which is what the format has for a
    classification below a threshold. A class that is no scientific name is kept as the tag "class:<name>".
    """
    text = io.StringIO(newline="")
    out = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    out.writeheader()
    stamp = when.isoformat(timespec="seconds").replace("+00:00", "Z")
    for row in rows.select(["file", "class", "probability", "unsure", "problem"]).to_pylist():
        if row["problem"] is None:
            out.writerow(_observation(row, f"Distill Workbench, run {run}", stamp))
    return text.getvalue().encode()


def _observation(row: dict[str, Any], by: str, stamp: str) -> dict[str, str]:
    name = row["class"]
    kind = _TYPES.get(name.casefold().replace("_", " ").strip(), "animal")
    scientific = kind == "animal" and not row["unsure"] and _SCIENTIFIC.fullmatch(name)
    return {
        "observationID": spreadsheet_text(row["file"]),
        "mediaID": spreadsheet_text(row["file"]),
        "observationLevel": "media",
        "observationType": "unknown" if row["unsure"] else kind,
        "scientificName": name if scientific else "",
        "classificationMethod": "machine",
        "classifiedBy": by,
        "classificationTimestamp": stamp,
        "classificationProbability": f"{row['probability']:.4f}",
        "observationTags": "" if scientific else f"class:{name.replace('|', ' ')}",
    }
