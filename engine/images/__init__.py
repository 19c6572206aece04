"""From bytes to pixels: decoding (plain files, TIFF, DICOM), more than 8 bits, fixed views.

`converting.decode` reads bytes that a task keeps; those of a stranger go through `decoder`, a process of its own.
"""

from engine.images.reading import WHOLE_RANGE, WITHOUT_EXTREMES, Reading, Values, reading_from, reading_in_words
from engine.images.views import square

__all__ = [
    "WHOLE_RANGE",
    "WITHOUT_EXTREMES",
    "Reading",
    "Values",
    "reading_from",
    "reading_in_words",
    "square",
]
