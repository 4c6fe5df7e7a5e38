"""The targets of a run that have not ended, which a resumption goes on with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pageturner.errors import (
    InvalidRequestError,
    NotFoundError,
    PageErrorsError,
    RepeatedTokenError,
    TooManyRestartsError,
    TruncatedListingError,
)
from pageturner.page_state import Patience, Place, Run, Target
from pageturner.stores import Stores
from pageturner.stores.sorted_targets import Sorted, sorted_listings
from pageturner.verdicts import ENDED, GOES_ON, PAGES_MISSING, Ends, counted, entries, target_of

# The errors after which the pages of a target, or its token, are no beginning of a listing any more: the token would be
# refused again, or is of a resource that is not the same one, or records are lost.
_BEGINS_ANEW = {
    error.__name__
    for error in (
        InvalidRequestError,
        NotFoundError,
        PageErrorsError,
        RepeatedTokenError,
        TooManyRestartsError,
        TruncatedListingError,
    )
} | {PAGES_MISSING}


def unfinished(stores: Stores, run: Run, *, by_itself: bool) -> Iterator[tuple[Target, Patience]]:
    """Yield the targets that have not ended, with the patience left; `run` is that of the generation before.

    If a run continues by itself, those that have a verdict keep it: they could go on like this for ever.
    """
    patience = Sorted(stores.targets.patience(run) if by_itself else ())
    for entry, last_pass in _entries(stores, run):
        if entry["verdict"] not in ENDED and (not by_itself or entry.get("error") in GOES_ON):
            target = target_of(entry)
            # A pass without a page was begun anew by an earlier attempt to plan this.
            if entry.get("error") in _BEGINS_ANEW and entry["pages"]:
                _begin_anew(stores, run, target, last_pass + 1)
            left = patience.of(target.target_id)
            yield target, left[0] if left else Patience()


def _entries(stores: Stores, run: Run) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the entry of each target of a run, as the manifest would have it, and the last pass of its listing.

    They are in the order of their ids, as all records are: memory holds one listing at a time.
    """
    counts = Sorted(counted(stores.checkpoints.pages(run)))
    verdicts = Sorted(stores.targets.verdicts(run))
    comparisons = Sorted(stores.witnesses.comparisons(run))
    for listing in sorted_listings(stores.pages, run):
        of = listing[0].listing_id
        ends = Ends(
            {target.target_id: found for target in listing for found in counts.of(target.target_id)},
            {target.target_id: found for target in listing for found in verdicts.of(target.target_id)},
            {(of, last): found.mistrusted for last, found in comparisons.of(of) if found.mistrusted},
        )
        last_pass = ends.last_pass(listing[0])
        for entry in entries(listing, ends):
            yield entry, last_pass


def _begin_anew(stores: Stores, run: Run, target: Target, pass_number: int) -> None:
    """Begin a pass, with all its restarts left, that is later than those of the other parts of its listing.

    What an abandoned invocation still writes is of an earlier pass, which then no longer counts. If the run was
    resumed meanwhile, this plan is late, and begins none: it notices that when it resumes the run itself.
    """
    stores.checkpoints.begin_anew(run, target, Place(pass_number=pass_number, first_pass=pass_number))
