"""Who may call which route: one table, enforced before the body is read.

A route that is not in the table cannot be made. What a caller sees within a route, its department
or everything, is decided in the query layer (`store`, `requests`), which is given the actor.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from govcloud.api.problems import language, unknown_parameter
from govcloud.api.services import Services
from govcloud.domain.access import Actor, Permission
from govcloud.errors import ForbiddenError
from govcloud.store.users import Caller

P = Permission
Need = frozenset[Permission]


def _any(*permissions: Permission) -> Need:
    return frozenset(permissions)


READ: Final = _any(P.READ_OWN)
DECIDE: Final = _any(P.DECIDE, P.OPERATE, P.SUBMIT)
"""Steps name the role that decides them (approver, operator, the applying department itself), so
the desk checks which of these it must be; an auditor has none."""

RUN: Final = _any(P.SUBMIT, P.OPERATE)
"""Who runs things: the department that has them, and operators. A console may show anything, and a
kubeconfig is a way to change things."""

NEEDS: Final[Mapping[tuple[str, str], Need]] = {
    ("GET", "/v1/version"): READ,
    ("GET", "/v1/whoami"): READ,
    ("GET", "/v1/doctor"): READ,
    ("GET", "/v1/kinds"): READ,
    ("GET", "/v1/schema"): READ,
    ("GET", "/v1/schema/{kind}"): READ,
    ("GET", "/v1/explain"): READ,
    ("POST", "/v1/plan"): _any(P.SUBMIT),
    ("POST", "/v1/requests"): _any(P.SUBMIT),
    ("GET", "/v1/requests"): READ,
    ("GET", "/v1/requests/{request_id}"): READ,
    ("POST", "/v1/requests/{request_id}/approve"): DECIDE,
    ("POST", "/v1/requests/{request_id}/reject"): DECIDE,
    ("POST", "/v1/requests/{request_id}/return"): DECIDE,
    ("POST", "/v1/requests/{request_id}/withdraw"): _any(P.SUBMIT),
    ("POST", "/v1/requests/{request_id}/add-reviewer"): DECIDE,
    ("POST", "/v1/requests/{request_id}/reassign"): DECIDE,
    ("POST", "/v1/requests/{request_id}/send-back"): DECIDE,
    ("POST", "/v1/requests/{request_id}/confirm-condition"): DECIDE,
    ("POST", "/v1/apply"): _any(P.APPLY),
    ("POST", "/v1/delete"): _any(P.APPLY),
    ("GET", "/v1/objects/{kind}"): READ,
    ("GET", "/v1/objects/{kind}/{name}"): READ,
    ("GET", "/v1/objects/{kind}/{name}/events"): READ,
    ("POST", "/v1/objects/{kind}/{name}/retry"): _any(P.OPERATE),
    ("POST", "/v1/objects/{kind}/{name}/rebuild"): _any(P.OPERATE),
    ("POST", "/v1/objects/{kind}/{name}/kubeconfig"): RUN,
    ("GET", "/v1/use"): READ,
    ("POST", "/v1/objects/{kind}/{name}/confirm"): _any(P.OPERATE, P.SUBMIT),
    ("POST", "/v1/objects/{kind}/{name}/force"): _any(P.APPLY),
    ("POST", "/v1/objects/{kind}/{name}/abandon"): _any(P.OPERATE),
    ("POST", "/v1/clouds/{name}/resume"): _any(P.OPERATE),
    ("POST", "/v1/objects/{kind}/{name}/stop"): RUN,
    ("POST", "/v1/objects/{kind}/{name}/start"): RUN,
    ("POST", "/v1/objects/{kind}/{name}/reboot"): RUN,
    ("GET", "/v1/objects/{kind}/{name}/console-log"): RUN,
    ("GET", "/v1/clouds/{name}/discovery"): _any(P.APPLY, P.OPERATE),
    ("POST", "/v1/clouds/{name}/adoption"): _any(P.APPLY),
    ("GET", "/v1/unmanaged"): _any(P.READ_ALL),
    ("GET", "/v1/migrations"): READ,
    ("POST", "/v1/migrations/weigh"): RUN,
    ("GET", "/v1/migrations/{department}/{system}"): READ,
    ("GET", "/v1/migrations/{department}/{system}/journal"): READ,
    ("GET", "/v1/migrations/{department}/{system}/evidence/{number}"): READ,
    ("POST", "/v1/migrations/{department}/rooms/{room}/close"): _any(P.APPLY),
    ("POST", "/v1/migrations/{department}/{system}/run"): RUN,
    ("POST", "/v1/migrations/{department}/{system}/pause"): RUN,
    ("POST", "/v1/migrations/{department}/{system}/resume"): RUN,
    ("POST", "/v1/migrations/{department}/{system}/cutover"): RUN,
    ("POST", "/v1/migrations/{department}/{system}/verify"): RUN,
    ("POST", "/v1/migrations/{department}/{system}/rollback"): RUN,
    ("POST", "/v1/migrations/{department}/{system}/abandon"): RUN,
    ("POST", "/v1/migrations/{department}/{system}/source-off"): RUN,
    ("POST", "/v1/migrations/{department}/{system}/accept"): DECIDE,
    ("GET", "/v1/quota/tree"): READ,
    ("GET", "/v1/quota/{department}"): READ,
    ("POST", "/v1/quota/check"): _any(P.OPERATE, P.AUDIT),
    ("GET", "/v1/drift"): READ,
    ("GET", "/v1/events"): READ,
    ("GET", "/v1/reports/on-cloud-rate"): READ,
    ("GET", "/v1/reports/on-cloud-rate/explain"): READ,
    ("GET", "/v1/reports/opening-time"): READ,
    ("GET", "/v1/reports/facts/{number}"): READ,
    ("GET", "/v1/audit"): _any(P.AUDIT),
    ("POST", "/v1/audit/verify"): _any(P.AUDIT),
    ("GET", "/v1/users"): _any(P.USERS),
    ("GET", "/v1/tokens"): _any(P.USERS),
    ("POST", "/v1/tokens"): _any(P.USERS),
    ("DELETE", "/v1/tokens/{token_id}"): _any(P.USERS),
}
"""Route to what it needs: any one of the permissions. None for a route: it cannot be made."""

WHOLE: Final = frozenset(
    {
        ("POST", "/v1/clouds/{name}/resume"),
        ("GET", "/v1/clouds/{name}/discovery"),
        ("POST", "/v1/quota/check"),
        ("GET", "/v1/audit"),
        ("POST", "/v1/audit/verify"),
    }
)
"""Routes about what belongs to all departments: nobody confined to one calls them (P1)."""


class GuardedRoute(APIRoute):
    """A route that asks for permission, and knows its query parameters, before it does anything."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the guard before the handler; KeyError for a route that the table does not have."""
        handle = super().get_route_handler()
        needs = {method: NEEDS[method, self.path_format] for method in self.methods or ()}
        known = frozenset(field.alias for field in self.dependant.query_params)

        async def guarded(request: Request) -> Response:
            actor = caller(request).actor
            authorise(actor, needs[request.method])
            if (request.method, self.path_format) in WHOLE and not actor.may(P.READ_ALL):
                raise ForbiddenError("errors.not_of_all", user=actor.name)
            for name in request.query_params:
                if name not in known:
                    raise unknown_parameter(name, sorted(known))
            return await handle(request)

        return guarded


def authorise(actor: Actor, need: Need) -> None:
    """Raise ForbiddenError unless the actor has one of the permissions."""
    if any(actor.may(permission) for permission in need):
        return
    if actor.read_only and any(
        Actor(actor.name, actor.role, actor.department).may(permission) for permission in need
    ):
        raise ForbiddenError("errors.token_read_only", user=actor.name)
    raise ForbiddenError("errors.role_forbids", user=actor.name, role=actor.role.value)


def caller(request: Request) -> Caller:
    """Return who calls, as the gate found out; AttributeError where no gate stands before."""
    found: Caller = request.state.caller
    return found


async def _caller(request: Request) -> Caller:
    return caller(request)


async def _actor(request: Request) -> Actor:
    return caller(request).actor


async def _services(request: Request) -> Services:
    wired: Services = request.app.state.services
    return wired


async def _language(request: Request) -> str:
    return language(request)


WhoCalls = Annotated[Caller, Depends(_caller)]
Acting = Annotated[Actor, Depends(_actor)]
Wired = Annotated[Services, Depends(_services)]
Tongue = Annotated[str, Depends(_language)]
