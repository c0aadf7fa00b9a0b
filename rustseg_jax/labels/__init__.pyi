from .agreement import Agreement, compare_experts, opinions
from .agreement_totals import PhotoAgreement, agree_over_all, shared_photos
from .backup import Backup, back_up
from .blame import Blame, blame_all, blame_correction
from .consensus import make_consensus
from .export import EXPORT_FORMATS, Export, export_labels
from .faults import (
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
from .imports import IMPORT_FORMATS, Import, import_labels
from .intake import CONSENT
from .kappa import cohens_kappa, fleiss_kappa
from .listing import (
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
from .merge import Merge, merge_labels
from .packed import Extent, export_extent, pack_labels
from .queue import Case, count_queue, next_cases, orders, repeats, set_order
from .records import (
    ACTIONS,
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
from .rle import Rle
from .stats import count_labels, count_states
from .store import Store, labels_folder
from .verify import Problem, Verification, verify_labels
from .views import (
    Change,
    change_picture,
    correction_picture,
    disagreement_picture,
    thumbnail,
)
from .voting import Staple, majority, staple

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
