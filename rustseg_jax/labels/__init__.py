"""What experts say of photos: stored, reviewed, compared, exported.

>>> from rustseg_jax import labels                                     # doctest: +SKIP
>>> store = labels.Store("data/labels")                                # doctest: +SKIP
>>> photo = store.add_photo("gate.jpg", consent="given")               # doctest: +SKIP
>>> saved = store.save_correction(                                     # doctest: +SKIP
...     photo, nonce=str(uuid4()), who="Ada", verdict="corrosion", mask=mask
... )

Names are imported when they are first used, as in `rustseg_jax`: nothing here loads JAX
before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rustseg_jax.labels.agreement import Agreement, compare_experts, opinions
    from rustseg_jax.labels.agreement_totals import PhotoAgreement, agree_over_all, shared_photos
    from rustseg_jax.labels.backup import Backup, back_up
    from rustseg_jax.labels.blame import Blame, blame_all, blame_correction
    from rustseg_jax.labels.consensus import make_consensus
    from rustseg_jax.labels.export import EXPORT_FORMATS, Export, export_labels
    from rustseg_jax.labels.faults import (
        ConflictError,
        DamagedError,
        ErasedError,
        ForeignError,
        FullError,
        LockedError,
        MissingError,
        NewerError,
        ReadOnlyError,
    )
    from rustseg_jax.labels.imports import IMPORT_FORMATS, Import, import_labels
    from rustseg_jax.labels.kappa import cohens_kappa, fleiss_kappa
    from rustseg_jax.labels.listing import (
        Entry,
        Filters,
        History,
        Page,
        count_corrections,
        history,
        latest,
        list_corrections,
        values_of,
    )
    from rustseg_jax.labels.merge import Merge, merge_labels
    from rustseg_jax.labels.packed import Extent, export_extent, pack_labels
    from rustseg_jax.labels.queue import Case, count_queue, next_cases, orders, repeats, set_order
    from rustseg_jax.labels.records import (
        ACTIONS,
        CONSENT,
        REASONS,
        STATUSES,
        VERDICTS,
        Correction,
        Erasure,
        Photo,
        Prediction,
        Review,
        Withdrawal,
    )
    from rustseg_jax.labels.rle import Rle
    from rustseg_jax.labels.stats import count_labels, count_states
    from rustseg_jax.labels.store import Store, labels_folder
    from rustseg_jax.labels.verify import Problem, Verification, verify_labels
    from rustseg_jax.labels.views import (
        Change,
        change_picture,
        correction_picture,
        disagreement_picture,
        thumbnail,
    )
    from rustseg_jax.labels.voting import Staple, majority, staple

_HOMES = {
    "agreement": (
        "Agreement",
        "compare_experts",
        "opinions",
    ),
    "agreement_totals": (
        "PhotoAgreement",
        "agree_over_all",
        "shared_photos",
    ),
    "backup": (
        "Backup",
        "back_up",
    ),
    "blame": (
        "Blame",
        "blame_all",
        "blame_correction",
    ),
    "consensus": ("make_consensus",),
    "export": (
        "EXPORT_FORMATS",
        "Export",
        "export_labels",
    ),
    "faults": (
        "ConflictError",
        "DamagedError",
        "ErasedError",
        "ForeignError",
        "FullError",
        "LockedError",
        "MissingError",
        "NewerError",
        "ReadOnlyError",
    ),
    "imports": (
        "IMPORT_FORMATS",
        "Import",
        "import_labels",
    ),
    "kappa": (
        "cohens_kappa",
        "fleiss_kappa",
    ),
    "listing": (
        "Entry",
        "Filters",
        "History",
        "Page",
        "count_corrections",
        "history",
        "latest",
        "list_corrections",
        "values_of",
    ),
    "merge": (
        "Merge",
        "merge_labels",
    ),
    "packed": (
        "Extent",
        "export_extent",
        "pack_labels",
    ),
    "queue": (
        "Case",
        "count_queue",
        "next_cases",
        "orders",
        "repeats",
        "set_order",
    ),
    "records": (
        "ACTIONS",
        "CONSENT",
        "REASONS",
        "STATUSES",
        "VERDICTS",
        "Correction",
        "Erasure",
        "Photo",
        "Prediction",
        "Review",
        "Withdrawal",
    ),
    "rle": ("Rle",),
    "stats": (
        "count_labels",
        "count_states",
    ),
    "store": (
        "Store",
        "labels_folder",
    ),
    "verify": (
        "Problem",
        "Verification",
        "verify_labels",
    ),
    "views": (
        "Change",
        "change_picture",
        "correction_picture",
        "disagreement_picture",
        "thumbnail",
    ),
    "voting": (
        "Staple",
        "majority",
        "staple",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ACTIONS",
    "CONSENT",
    "EXPORT_FORMATS",
    "IMPORT_FORMATS",
    "REASONS",
    "STATUSES",
    "VERDICTS",
    "Agreement",
    "Backup",
    "Blame",
    "Case",
    "Change",
    "ConflictError",
    "Correction",
    "DamagedError",
    "Entry",
    "ErasedError",
    "Erasure",
    "Export",
    "Extent",
    "Filters",
    "ForeignError",
    "FullError",
    "History",
    "Import",
    "LockedError",
    "Merge",
    "MissingError",
    "NewerError",
    "Page",
    "Photo",
    "PhotoAgreement",
    "Prediction",
    "Problem",
    "ReadOnlyError",
    "Review",
    "Rle",
    "Staple",
    "Store",
    "Verification",
    "Withdrawal",
    "agree_over_all",
    "back_up",
    "blame_all",
    "blame_correction",
    "change_picture",
    "cohens_kappa",
    "compare_experts",
    "correction_picture",
    "count_corrections",
    "count_labels",
    "count_queue",
    "count_states",
    "disagreement_picture",
    "export_extent",
    "export_labels",
    "fleiss_kappa",
    "history",
    "import_labels",
    "labels_folder",
    "latest",
    "list_corrections",
    "majority",
    "make_consensus",
    "merge_labels",
    "next_cases",
    "opinions",
    "orders",
    "pack_labels",
    "repeats",
    "set_order",
    "shared_photos",
    "staple",
    "thumbnail",
    "values_of",
    "verify_labels",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
