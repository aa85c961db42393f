"""The contract of the port `Provisioner` as tests: every driver passes them all.

A driver's test module derives a class from `ProvisionerContract` and gives it a fixture `harness`
that yields a `Harness`: a cloud (a real one, or one that behaves like it) and the few things that
only its author can do to it. What a harness cannot do it answers with `Unsupported`; the test is
then skipped, visibly.
"""

from govcloud.testing.contracts.changing import ChangingContract
from govcloud.testing.contracts.deleting import DeletingContract
from govcloud.testing.contracts.finding import FindingContract
from govcloud.testing.contracts.harness import (
    OTHER_INSTALLATION,
    TENANT_QUOTA,
    Harness,
    Unsupported,
)
from govcloud.testing.contracts.observing import ObservingContract
from govcloud.testing.contracts.quota import QuotaContract
from govcloud.testing.contracts.resources import ResourcesContract
from govcloud.testing.contracts.steps import (
    STEPS_MOST,
    bring,
    build,
    by_id,
    by_rank,
    collects,
    differences,
    fails,
    grown,
    listing,
    needs_tenant_quota,
    one,
    prepare,
    quota_of,
    supported,
    usage,
)
from govcloud.testing.contracts.whole import WholeContract

__all__ = [
    "OTHER_INSTALLATION",
    "STEPS_MOST",
    "TENANT_QUOTA",
    "Harness",
    "ProvisionerContract",
    "Unsupported",
    "bring",
    "build",
    "by_id",
    "by_rank",
    "collects",
    "differences",
    "fails",
    "grown",
    "listing",
    "needs_tenant_quota",
    "one",
    "prepare",
    "quota_of",
    "supported",
    "usage",
]


class ProvisionerContract(
    ResourcesContract,
    FindingContract,
    ObservingContract,
    ChangingContract,
    DeletingContract,
    QuotaContract,
    WholeContract,
):
    """What every driver must do; each test names the sentence of the port that it holds it to."""
