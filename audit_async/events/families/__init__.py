"""The builders: one function a family, each giving an event of it.

Every builder takes the action (an `AuditAction`, a canonical name or any text), its family's own keywords, and any
field of the event as a keyword. It never does I/O, keeps no reference to what it is given, and raises on no value;
only a keyword that no event has is a `TypeError`. What is None is left out, but for the details that a family always
says; a 0 is kept.

An action in a spelling of old gives the record that the builder of old gave: the same resource, severity, category,
tags, details and description. A canonical one gives the vocabulary's severity and category.

    signing_in    auth, sso, mfa, session, identity
    people        user, role, permission, tenant, org_sync
    services      agent, api_key, api_request, usage, budget, module
    records       data_change, data_export, data_import, conversation
    operations    config, security, system, job, custom
"""

from __future__ import annotations

import inspect

from audit_async.events.families.operations import config, custom, job, security, system
from audit_async.events.families.people import org_sync, permission, role, tenant, user
from audit_async.events.families.records import conversation, data_change, data_export, data_import
from audit_async.events.families.services import agent, api_key, api_request, budget, module, usage
from audit_async.events.families.signing_in import auth, identity, mfa, session, sso

BUILDERS = {
    builder.__name__: builder
    for builder in (
        *(identity, role, tenant, agent, auth, sso, mfa, session, user, org_sync, permission, api_key, api_request),
        *(usage, budget, module, config, security, system, data_change, data_export, data_import, conversation, job),
        custom,
    )
}
"""Every builder, by the name of its family."""


def own_keywords_of(builder: str) -> tuple[str, ...]:
    """Return the keywords that *builder* has beside the fields of an event."""
    parameters = inspect.signature(BUILDERS[builder]).parameters.values()
    return tuple(each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY)
