"""The contract of `create` and `find`: what is made is found, by its mark and nothing else."""

from govcloud.errors import (
    CloudConflictError,
    TransientCloudError,
)
from govcloud.ports.cloud import State
from govcloud.testing.contracts.harness import Harness, Unsupported
from govcloud.testing.contracts.steps import (
    build,
    by_id,
    by_rank,
    collects,
    differences,
    fails,
    one,
    prepare,
)


class FindingContract:
    """`create` and `find`: what is made is found, by its mark and nothing else."""

    def test_what_is_created_is_found_at_once(self, harness: Harness) -> None:
        """`find` MUST be strongly consistent with `create`, also for another instance."""
        provisioner = harness.open()
        order = harness.order(1, count=2)
        prepare(harness, provisioner, order)
        for rank in by_rank(provisioner.resources(order)):
            for resource in rank:
                created = provisioner.create(resource)
                assert (created.uid, created.part) == (resource.uid, resource.part)
                assert created.id in {o.id for o in harness.open().find([resource.uid])}
            harness.settle()

    def test_what_is_created_becomes_what_was_wanted(self, harness: Harness) -> None:
        """Once ready, what is observed equals what was wanted: no drift of the driver's making."""
        provisioner = harness.open()
        for resource in build(harness, provisioner, harness.order(1, count=2)):
            found = one(provisioner, resource)
            assert found.state is State.READY
            assert differences(found, resource) == []

    def test_answers_that_say_all_say_what_a_look_says(self, harness: Harness) -> None:
        """With `answers_whole`, what is answered MUST be what is found, but for what goes on."""
        provisioner = harness.open()
        if not getattr(provisioner, "answers_whole", False):
            raise Unsupported("the driver's answers need not say all")
        order = harness.order(1, count=2)
        prepare(harness, provisioner, order)
        for rank in by_rank(provisioner.resources(order)):
            made = [provisioner.create(resource) for resource in rank]
            harness.settle()
            found = {seen.id: seen for seen in harness.open().find([order.uid])}
            for answered in made:
                seen = found[answered.id]
                assert (answered.props, answered.tags) == (seen.props, seen.tags)
                assert answered.state in (seen.state, State.BUILDING)

    def test_the_mark_travels_in_the_creating_call(self, harness: Harness) -> None:
        """A lost answer is `outcome_unknown`, and what it made is found by its mark and tags."""
        provisioner = harness.open()
        order = harness.order(1)
        prepare(harness, provisioner, order)
        resource = provisioner.resources(order)[0]
        harness.lose_answer("create")
        with fails(TransientCloudError) as caught:
            provisioner.create(resource)
        assert isinstance(caught[0], TransientCloudError)
        assert caught[0].outcome_unknown
        found = one(provisioner, resource)
        assert resource.tags.items() <= found.tags.items()

    def test_find_returns_only_what_was_asked_for(self, harness: Harness) -> None:
        """MUST return all resources with the mark of any of the uids, and no others."""
        provisioner = harness.open()
        orders = [harness.order(number) for number in range(3)]
        for order in orders:
            build(harness, provisioner, order)
        wanted = {order.uid for order in orders[:2]}
        assert {o.uid for o in provisioner.find(sorted(wanted))} == wanted
        assert list(provisioner.find([])) == []
        assert list(provisioner.find(["contract-unknown"])) == []

    def test_find_takes_few_calls_for_a_batch(self, harness: Harness) -> None:
        """MUST take a bounded number of calls for a batch, not one for each uid."""
        provisioner = harness.open()
        uids = [f"contract-{number}" for number in range(100)]
        provisioner.find(uids[:1])  # logs in and learns what need not be learned again

        def calls_for(wanted: list[str]) -> int:
            before = harness.calls(provisioner)
            provisioner.find(wanted)
            return harness.calls(provisioner) - before

        # What one costs is pages of lists, as many as others have filled.
        assert calls_for(uids) < calls_for(uids[:1]) + len(uids) / 4

    def test_a_name_is_no_mark(self, harness: Harness) -> None:
        """Something foreign of the same name is neither found nor adopted; ours is built.

        Where a cloud lets nothing else have a name that is taken, that is a conflict.
        """
        provisioner = harness.open()
        order = harness.order(1)
        prepare(harness, provisioner, order)
        resource = provisioner.resources(order)[0]
        stranger = by_id(provisioner, harness.foreign(resource.name, resource.tenant))
        assert list(provisioner.find([resource.uid])) == []
        with collects(CloudConflictError):
            assert provisioner.create(resource).id != stranger.id
        assert by_id(provisioner, stranger.id) == stranger
