"""What streams have told is remembered: news is news once, and what crosses on the way is not."""

from typing import Any

from govcloud.ports.cloud import CloudAddress
from govcloud.testing.cluster import namespace_order
from provisioners.kubernetes.driver import open_cluster
from provisioners.kubernetes.memory import Begun, Memory
from provisioners.kubernetes.objects import manifest
from provisioners.kubernetes.strays import Strays
from provisioners.kubernetes.types import QUOTA

WHOSE = "test"
UID = namespace_order(1).uid


def quota(version: int, *, key: str = "q1", pods: str = "30", **labels: str | None) -> Any:
    driver = open_cluster(CloudAddress("k8s", {"endpoint": "http://127.0.0.1:1"}, WHOSE, ""))
    found = next(r for r in driver.resources(namespace_order(1)) if r.type == QUOTA.word)
    item = manifest(found, WHOSE)
    item["metadata"] |= {"uid": key, "resourceVersion": str(version)}
    item["metadata"]["labels"] |= labels
    item["spec"]["hard"]["pods"] = pods
    return item


def memory_of(installation: str, *begun: str) -> Memory:
    ours = Begun()
    for uid in begun or (UID,):
        ours.add(uid)
    return Memory(QUOTA, installation, ours, Strays(installation))


def test_news_is_told_once() -> None:
    memory = memory_of(WHOSE)
    assert memory.note(quota(5)) == [UID]
    assert memory.note(quota(6)) == []
    assert memory.note(quota(7, pods="31")) == [UID]


def test_what_is_older_than_what_is_known_is_no_news() -> None:
    memory = memory_of(WHOSE)
    memory.note(quota(9, pods="31"))
    assert memory.note(quota(8)) == []
    assert memory.of([UID])[0].props["hard.pods"] == 31


def test_an_answer_that_comes_after_the_end_brings_nothing_back() -> None:
    memory = memory_of(WHOSE)
    memory.note(quota(5))
    assert memory.lose(quota(6)) == [UID]
    assert memory.note(quota(5)) == []
    assert memory.of([UID]) == []
    assert memory.lose(quota(6)) == []


def test_what_is_selected_again_is_known_again() -> None:
    """A stream tells of a label taken off as of a removal."""
    memory = memory_of(WHOSE)
    memory.note(quota(5))
    memory.lose(quota(6))
    assert memory.note(quota(7)) == [UID]
    assert memory.of([UID])


def test_what_others_began_is_known_and_not_kept() -> None:
    memory = memory_of(WHOSE, "another")
    assert memory.note(quota(5)) == [UID]
    assert memory.knows(UID)
    assert memory.of([UID]) == []


def test_a_new_list_forgets_what_is_not_on_it() -> None:
    memory = memory_of(WHOSE)
    memory.note(quota(5))
    memory.note(quota(6, key="q2"))
    assert memory.keep_only({"q2"}, "7") == [UID]
    assert [seen.id for seen in memory.of([UID])] == ["q2"]


def test_what_was_made_after_a_list_is_not_forgotten_by_it() -> None:
    memory = memory_of(WHOSE)
    memory.note(quota(9))
    assert memory.keep_only(set(), "8") == []
    assert memory.of([UID])


def test_what_others_own_is_seen_and_not_kept() -> None:
    memory = memory_of("another")
    assert memory.note(quota(5)) == []
    assert memory.of([UID, ""]) == []


def test_a_label_taken_off_does_not_take_the_thing_out_of_hand() -> None:
    memory = memory_of(WHOSE)
    memory.note(quota(5))
    changed = quota(6)
    del changed["metadata"]["labels"]["govcloud.io/uid"]
    assert memory.note(changed) == [UID]
    assert memory.of([UID])[0].props["mark"] == "without govcloud.io/uid"
    del changed["metadata"]["annotations"]["govcloud.io/mark"]
    changed["metadata"]["resourceVersion"] = "7"
    assert memory.note(changed) == [UID]
    assert memory.of([UID]) == []
